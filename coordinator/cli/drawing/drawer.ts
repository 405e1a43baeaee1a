// A process that holds a model and draws batches of images, one after another, for the command that started it.

import { openBackend } from "../../../shared/backends/index.ts";
import { describeError, PlumeError } from "../../../shared/errors.ts";
import { onDevice } from "../../../shared/pipeline/frozen.ts";
import { createGenerator, type Generate } from "../../../shared/pipeline/generate.ts";
import type { DrawerReply, DrawerRequest, Drawing } from "./messages.ts";

/** Between two words of progress. */
const OFTEN_MS = 100;

const reply = (message: DrawerReply): void => void process.send!(message);

async function open({ backend, model, classifier }: Drawing): Promise<Generate> {
  const { program } = await openBackend(backend);
  return createGenerator({
    ...(await onDevice(model)),
    image: model.image,
    program,
    classifier: classifier && (await onDevice(classifier)),
  });
}

let generate: Generate;
async function answer(request: DrawerRequest): Promise<DrawerReply> {
  if (request.kind === "open") {
    generate = await open(request.drawing);
    return { kind: "ready" };
  }
  let last = 0;
  const onStep = async (done: number, total: number) => {
    await new Promise((resolve) => setImmediate(resolve)); // lets the end of the command in
    if (Date.now() - last < OFTEN_MS) return;
    last = Date.now();
    reply({ kind: "progress", done, total });
  };
  return { kind: "drawn", pixels: await generate({ ...request.wanted, onStep }) };
}

function failure(error: unknown): DrawerReply {
  if (!(error instanceof PlumeError))
    return { kind: "failed", code: "INTERNAL", message: describeError(error), remedy: undefined };
  const { code, message, remedy } = error;
  return { kind: "failed", code, message, remedy };
}

process.on("message", (request: DrawerRequest) => {
  void answer(request).catch(failure).then(reply);
});
process.on("disconnect", () => process.exit(0));
// A terminal's Ctrl-C reaches all of its processes: the command decides what becomes of this one.
process.on("SIGINT", () => {});
