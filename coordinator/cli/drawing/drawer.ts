// A process that holds a model and draws batches of images, one after another, for the command that started it.

import { openBackend } from "../../../shared/backends/index.ts";
import { describeError, PlumeError } from "../../../shared/errors.ts";
import { openCaptions } from "../../../shared/pipeline/captions.ts";
import { createDeviceParams, type DeviceParams } from "../../../shared/pipeline/device-params.ts";
import { openFrozen } from "../../../shared/pipeline/frozen.ts";
import { createGenerator, type Generate } from "../../../shared/pipeline/generate.ts";
import { buildNetwork } from "../../../shared/pipeline/network.ts";
import { buildLayout } from "../../../shared/tensor/layout.ts";
import type { DrawerReply, DrawerRequest, DrawerWanted, Drawing, Drawn } from "./messages.ts";

/** Between two words of progress. */
const OFTEN_MS = 100;

const reply = (message: DrawerReply): void => void process.send!(message);

let evaluations = 0;
async function open(drawing: Drawing): Promise<{ generate: Generate; params: DeviceParams }> {
  const { backend, model, beside } = drawing;
  const { text, ...networks } = beside;
  const { program } = await openBackend(backend);
  const network = await buildNetwork(model.spec, model.image);
  const params = createDeviceParams(buildLayout(network.params));
  const generate = createGenerator({
    ...{ ...model, network, params, program },
    ...(await openFrozen(networks)),
    readCaptions: await openCaptions(model.spec, text, program),
    onEvaluation: (images) => {
      evaluations += images;
    },
  });
  return { generate, params };
}

let opened: Awaited<ReturnType<typeof open>>;
async function answer(request: Exclude<DrawerRequest, { readonly kind: "cancel" }>): Promise<DrawerReply> {
  if (request.kind === "open") opened = await open(request.drawing);
  else if (request.kind === "load") opened.params.load(request.flat);
  else return { kind: "drawn", ...(await draw(request.wanted)) };
  return { kind: "ready" };
}

let cancelled = false;
async function draw(wanted: DrawerWanted): Promise<Drawn> {
  let last = 0;
  cancelled = false;
  const onStep = async (done: number, total: number) => {
    await new Promise((resolve) => setImmediate(resolve)); // lets the end of the command in, or of this batch
    if (cancelled) throw new PlumeError("INTERRUPTED", "the batch was called off");
    if (Date.now() - last < OFTEN_MS) return;
    last = Date.now();
    reply({ kind: "progress", done, total });
  };
  evaluations = 0;
  const pixels = await opened.generate({ ...wanted, onStep });
  return { pixels, evaluations };
}

function failure(error: unknown): DrawerReply {
  if (!(error instanceof PlumeError))
    return { kind: "failed", code: "INTERNAL", message: describeError(error), remedy: undefined };
  const { code, message, remedy } = error;
  return { kind: "failed", code, message, remedy };
}

process.on("message", (request: DrawerRequest) => {
  if (request.kind === "cancel") cancelled = true;
  else void answer(request).catch(failure).then(reply);
});
process.on("disconnect", () => process.exit(0));
// A terminal's Ctrl-C reaches all of its processes: the command decides what becomes of this one.
process.on("SIGINT", () => {});
