// Drawers, and batches handed out to whichever is free.

import { type ChildProcess, fork } from "node:child_process";
import { createInterface } from "node:readline";
import { computeEnvironment } from "../../../shared/backends/environment.ts";
import { PlumeError } from "../../../shared/errors.ts";
import type { EncoderWeights } from "../../../shared/pipeline/caption-encoder.ts";
import { entry } from "../../../shared/root.ts";
import { isChatter } from "../chatter.ts";
import type { DrawerReply, DrawerRequest, DrawerWanted, Drawing, Drawn } from "./messages.ts";

export interface Pool extends Disposable {
  /** None of its drawers has ended. */
  readonly isWhole: boolean;
  /** Before anything is drawn, and again for other weights of the same network. @param flat float32 [layout.size]. */
  load(flat: Float32Array): Promise<void>;
  /**
   * @param batches in the order of their images. @param onProgress with how many images are there, those in the making as
   * shares. @param off calls it off: at their next step drawers are free for others. @returns all images.
   * @throws PlumeError of the first drawer that fails; the reason of `off`.
   */
  draw(batches: readonly DrawerWanted[], onProgress: (images: number) => void, off?: AbortSignal): Promise<Drawn>;
}

/** @param n drawers. @param signal ends them. */
export async function openPool(n: number, asked: Drawing, signal: AbortSignal): Promise<Pool> {
  const { spec, image } = asked.model;
  const beside = Object.entries(asked.beside).map(([name, model]) => [name, model && sendable(model)]);
  const drawing = { backend: asked.backend, model: { spec, image }, beside: Object.fromEntries(beside) };
  const drawers = Array.from({ length: n }, () => startDrawer(drawing, signal));
  const close = () => {
    for (const drawer of drawers) drawer.close();
  };
  try {
    await Promise.all(drawers.map((drawer) => drawer.ask({ kind: "open", drawing })));
  } catch (error) {
    close();
    throw error;
  }
  return {
    get isWhole() {
      return drawers.every(({ isThere }) => isThere());
    },
    [Symbol.dispose]: close,
    async load(flat) {
      await Promise.all(drawers.map(({ ask }) => ask({ kind: "load", flat })));
    },
    async draw(batches, onProgress, off) {
      const drawn: Drawn[] = new Array(batches.length);
      const share = new Float64Array(batches.length);
      const tell = () => onProgress(batches.reduce((sum, { indices }, k) => sum + indices.length * share[k]!, 0));
      let next = 0;
      const work = async ({ ask }: Drawer) => {
        for (let k = next++; k < batches.length; k = next++) {
          const onStep = (done: number, total: number) => {
            share[k] = done / total;
            tell();
          };
          drawn[k] = (await ask({ kind: "draw", wanted: batches[k]! }, onStep))!;
          share[k] = 1;
          tell();
        }
      };
      const cancel = () => {
        next = batches.length;
        for (const drawer of drawers) drawer.cancel();
      };
      await untilDone(drawers.map(work), cancel, off);
      return {
        pixels: Buffer.concat(drawn.map(({ pixels }) => pixels)),
        evaluations: drawn.reduce((sum, { evaluations }) => sum + evaluations, 0),
      };
    },
  };
}

/** @throws the reason of `off` once all are at rest, so that the drawers can be asked again. */
async function untilDone(working: readonly Promise<void>[], cancel: () => void, off?: AbortSignal): Promise<void> {
  if (off?.aborted) cancel();
  off?.addEventListener("abort", cancel, { once: true });
  try {
    await Promise.all(working);
  } catch (error) {
    if (!off?.aborted) throw error;
    await Promise.allSettled(working);
  } finally {
    off?.removeEventListener("abort", cancel);
  }
  off?.throwIfAborted();
}

/** Memory that threads share cannot go to another process. */
const sendable = (model: EncoderWeights) => ({ ...model, flat: new Float32Array(model.flat) });

interface Drawer {
  /** One question at a time. @returns what was drawn. */
  ask(request: DrawerRequest, onStep?: (done: number, total: number) => void): Promise<Drawn | undefined>;
  isThere(): boolean;
  /** What it draws now fails. */
  cancel(): void;
  close(): void;
}

function startDrawer({ backend }: Drawing, signal: AbortSignal): Drawer {
  const { file, execArgv } = entry("drawer");
  const child: ChildProcess = fork(file, {
    execArgv: [...execArgv],
    env: { ...process.env, ...computeEnvironment({ backend, threads: 1, numerics: "strict" }) },
    serialization: "advanced",
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  createInterface({ input: child.stderr! }).on("line", (line) => {
    if (!isChatter(line)) process.stderr.write(`${line}\n`);
  });
  let onReply: (message: DrawerReply) => void = () => {};
  let onEnd: (error: unknown) => void = () => {};
  const stop = () => {
    onEnd(signal.reason);
    child.kill("SIGKILL");
  };
  signal.addEventListener("abort", stop, { once: true });
  child.on("message", (message) => onReply(message as DrawerReply));
  child.on("error", (error) => onEnd(error));
  child.on("exit", (code, by) =>
    onEnd(
      new PlumeError("UNAVAILABLE", `a process that draws images ended (${by ?? code})`, {
        remedy: "it may have had too little memory: try fewer --workers",
      }),
    ),
  );
  return {
    ask: (request, onStep = () => {}) =>
      new Promise((resolve, reject) => {
        signal.throwIfAborted();
        onEnd = reject;
        onReply = (message) => {
          if (message.kind === "progress") onStep(message.done, message.total);
          else if (message.kind === "failed")
            reject(new PlumeError(message.code, message.message, { remedy: message.remedy }));
          else resolve(message.kind === "drawn" ? message : undefined);
        };
        child.send(request);
      }),
    isThere: () => child.connected,
    cancel: () => void (child.connected && child.send({ kind: "cancel" } satisfies DrawerRequest)),
    close() {
      signal.removeEventListener("abort", stop);
      child.removeAllListeners("exit");
      if (child.connected) child.disconnect();
      child.kill("SIGKILL");
    },
  };
}
