// The data plane on the worker's side: parameters in, results out, through the shared folder when the worker proved
// that it sees it, else as gRPC chunks.

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type PushHeader, type PushResponse, VectorKind } from "../proto/gen/plume/v1/training.ts";
import { PlumeError } from "../shared/errors.ts";
import { chunksOf, fromServiceError, writeMessage } from "../shared/rpc/call.ts";
import { readRegions, sharedParamsFile, sharedResultFile, writeRegions } from "../shared/rpc/shm.ts";
import type { TrainingClient } from "../shared/rpc/training-service.ts";
import { CALL_DEADLINE_MS } from "../shared/rpc/transport.ts";
import type { Layout } from "../shared/tensor/layout.ts";

/** Bytes that lie in several places, sent as one. */
type Payload = readonly Uint8Array[];

export interface Transfers {
  /**
   * Fills `flat` with a vector at a version. `onBytes` hears how much is there, now and then and at the end.
   * @throws PlumeError STALE when the coordinator has moved on.
   */
  pull(
    kind: "params" | "ema",
    version: number,
    flat: Uint8Array,
    onBytes: (bytes: number, total: number) => void,
    signal: AbortSignal,
  ): Promise<void>;
  push(header: Omit<PushHeader, "shmFile">, payload: Payload, signal: AbortSignal): Promise<PushResponse>;
}

export interface TransferOptions {
  readonly client: TrainingClient;
  readonly job: string;
  readonly incarnation: number;
  readonly layout: Layout;
  /** Empty: no shared memory. */
  readonly shmFolder: string;
}

/** Bytes between two words about a pull; a smaller one is not worth a word. */
const REPORT_BYTES = 16 * 1024 * 1024;

export function createTransfers({ client, job, incarnation, layout, shmFolder }: TransferOptions): Transfers {
  /** Files that a push is using. */
  const slots: boolean[] = [];
  const deadline = () => ({ deadline: Date.now() + CALL_DEADLINE_MS });

  const pullShard = async (
    vector: VectorKind,
    version: number,
    shard: number,
    target: Uint8Array,
    onChunk: (bytes: number) => void,
    signal: AbortSignal,
  ) => {
    const call = client.pull({ job, incarnation, vector, version, shard }, deadline());
    using _cancel = cancelOn(signal, call);
    let at = 0;
    try {
      for await (const { chunk } of call as AsyncIterable<{ chunk: Uint8Array }>) {
        if (at + chunk.byteLength > target.byteLength)
          throw new PlumeError("DATA_LOSS", `shard ${shard} is longer than ${target.byteLength} bytes`);
        target.set(chunk, at);
        at += chunk.byteLength;
        onChunk(chunk.byteLength);
      }
    } catch (error) {
      throw fromServiceError(error);
    }
    if (at !== target.byteLength)
      throw new PlumeError("DATA_LOSS", `${at} of ${target.byteLength} bytes of shard ${shard} arrived`);
  };

  return {
    async pull(kind, version, flat, onBytes, signal) {
      // No file, or not all of it: it was replaced by a newer version, or there was no room. The coordinator knows which.
      if (shmFolder && (await readShared(join(shmFolder, sharedParamsFile(kind, version)), flat))) return;
      const vector = kind === "ema" ? VectorKind.VECTOR_KIND_EMA : VectorKind.VECTOR_KIND_PARAMS;
      let bytes = 0;
      let told = 0;
      const onChunk = (more: number) => {
        bytes += more;
        if (bytes - told < REPORT_BYTES && (bytes < flat.byteLength || told === 0)) return;
        told = bytes;
        onBytes(bytes, flat.byteLength);
      };
      await Promise.all(
        layout.shards.map((s) =>
          pullShard(vector, version, s.index, flat.subarray(s.offset * 4, (s.offset + s.size) * 4), onChunk, signal),
        ),
      );
    },

    async push(header, payload, signal) {
      const slot = slots.findIndex((taken) => !taken);
      const mine = slot < 0 ? slots.length : slot;
      slots[mine] = true;
      try {
        const name = sharedResultFile(header.workerId, process.pid, mine);
        if (!shmFolder || !(await writeShared(join(shmFolder, name), payload)))
          return await pushChunks(client, header, payload, deadline(), signal);
        return await pushChunks(client, { ...header, shmFile: name }, [], deadline(), signal);
      } finally {
        slots[mine] = false;
      }
    },
  };
}

/** @returns false when the file is not there or not whole. */
async function readShared(file: string, target: Uint8Array): Promise<boolean> {
  const bytes = await readRegions(file, [target]).catch(() => 0);
  return bytes === target.byteLength;
}

/** @returns false when there is no room: nothing is left of the file then. */
async function writeShared(file: string, payload: Payload): Promise<boolean> {
  try {
    await writeRegions(file, payload);
    return true;
  } catch {
    await rm(file, { force: true });
    return false;
  }
}

function pushChunks(
  client: TrainingClient,
  header: Omit<PushHeader, "shmFile"> & { shmFile?: string },
  payload: Payload,
  options: { deadline: number },
  signal: AbortSignal,
): Promise<PushResponse> {
  return new Promise((resolve, reject) => {
    const call = client.push(options, (error, response) => {
      cancelled[Symbol.dispose]();
      if (error) reject(fromServiceError(error));
      else resolve(response);
    });
    const cancelled = cancelOn(signal, call);
    const send = async () => {
      await writeMessage(call, { part: { $case: "header", value: { shmFile: "", ...header } } });
      for (const region of payload)
        for (const chunk of chunksOf(region))
          await writeMessage(call, { part: { $case: "chunk", value: chunk as Buffer } });
      call.end();
    };
    send().catch(() => call.cancel()); // the callback above carries the reason
  });
}

/** Cancels the call when the signal is aborted, until disposed of: the other end may never answer. */
function cancelOn(signal: AbortSignal, call: { cancel(): void }): Disposable {
  const cancel = () => call.cancel();
  if (signal.aborted) cancel();
  signal.addEventListener("abort", cancel, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", cancel) };
}
