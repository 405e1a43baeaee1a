// The main thread's handle on the compute thread: requests with an id, replies as promises. The thread does one thing
// at a time, in the order asked.

import { Worker } from "node:worker_threads";
import { PlumeError } from "../shared/errors.ts";
import { createRequests } from "../shared/requests.ts";
import { entry } from "../shared/root.ts";
import type { Block } from "../shared/tensor/tree.ts";
import type {
  ComputeInit,
  ComputeReady,
  ComputeReply,
  ComputeRequest,
  ComputeThreadData,
  RawBatch,
} from "./messages.ts";

type Reply<K extends ComputeReply["kind"]> = Extract<ComputeReply, { kind: K }>;

type OnProgress = (done: number, seconds: number) => void;

export interface Compute {
  readonly ready: ComputeReady;
  canary(): Promise<string>;
  /** Takes what lies at `ready.landing`. @throws PlumeError DATA_LOSS when it has another digest. */
  load(digest: string): Promise<void>;
  gradient(
    step: number,
    block: Block,
    batches: readonly RawBatch[],
    weights: Float64Array | undefined,
    onProgress: (done: number, seconds: number) => void,
    /** Aborted: the block is given up after the micro-batch in hand. @throws PlumeError STALE */
    signal: AbortSignal,
  ): Promise<Reply<"gradient">>;
  sample(from: number, to: number, onProgress: (done: number) => void): Promise<Reply<"sample">>;
  release(id: number): void;
}

export interface ComputeThread extends AsyncDisposable {
  /** Opens the backend and builds the network; once. @throws PlumeError when the backend cannot start. */
  open(init: ComputeInit): Promise<Compute>;
}

/** Starts the thread. It loads its code at once, so that most of that is done when a coordinator says what to compute. */
export function startComputeThread(): ComputeThread {
  const revoked = new Int32Array(new SharedArrayBuffer(4));
  const thread = new Worker(entry("compute-thread").file, {
    workerData: { revoked } satisfies ComputeThreadData,
  });
  const requests = createRequests<ComputeReply>();
  const listeners = new Map<number, OnProgress>();

  thread.on("error", (error) => requests.end(error instanceof Error ? error : new Error(String(error))));
  thread.on("exit", (code) => requests.end(new PlumeError("INTERNAL", `the compute thread ended with code ${code}`)));
  thread.on("message", (reply: ComputeReply) => {
    if (reply.kind === "progress") return listeners.get(reply.id)?.(reply.done, reply.seconds);
    listeners.delete(reply.id);
    if (reply.kind === "error") requests.reject(reply.id, new PlumeError(reply.code, reply.message, reply));
    else requests.resolve(reply.id, reply);
  });

  const ask = <K extends ComputeReply["kind"]>(
    make: (id: number) => ComputeRequest,
    onProgress?: OnProgress,
  ): Promise<Reply<K>> =>
    requests.ask((id) => {
      if (onProgress) listeners.set(id, onProgress);
      thread.postMessage(make(id));
    }) as Promise<Reply<K>>;

  const opened = (ready: ComputeReady): Compute => ({
    ready,
    canary: async () => (await ask<"canary">((id) => ({ kind: "canary", id }))).digest,
    load: async (digest) => void (await ask<"loaded">((id) => ({ kind: "load", id, digest }))),
    async gradient(step, block, batches, weights, onProgress, signal) {
      let revoke = () => {};
      const make = (id: number): ComputeRequest => {
        revoke = () => void Atomics.store(revoked, 0, id);
        return { kind: "gradient", id, step, block, batches, weights };
      };
      const reply = ask<"gradient">(make, onProgress);
      if (signal.aborted) revoke();
      signal.addEventListener("abort", revoke, { once: true });
      return reply.finally(() => signal.removeEventListener("abort", revoke));
    },
    sample: (from, to, onProgress) => ask<"sample">((id) => ({ kind: "sample", id, from, to }), onProgress),
    release: (id) => thread.postMessage({ kind: "release", id } satisfies ComputeRequest),
  });

  return {
    async open(init) {
      Object.assign(process.env, init.environment);
      return opened(await ask<"ready">((id) => ({ kind: "open", id, init })));
    },
    async [Symbol.asyncDispose]() {
      requests.end(new PlumeError("UNAVAILABLE", "the compute thread is closed"));
      await thread.terminate();
    },
  };
}
