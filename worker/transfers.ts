// The data plane on the worker's side: parameters in, results out, through the shared folder when the worker proved
// that it sees it, else as gRPC chunks, from and to whoever holds each shard.

import { setMaxListeners } from "node:events";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type PushHeader, type PushResponse, VectorKind, WorkKind } from "../proto/gen/plume/v1/training.ts";
import { PlumeError } from "../shared/errors.ts";
import { chunksOf, fromServiceError, writeMessage } from "../shared/rpc/call.ts";
import { sharedParamsFile, sharedResultFile } from "../shared/rpc/shm.ts";
import type { TrainingClient } from "../shared/rpc/training-service.ts";
import { CALL_DEADLINE_MS } from "../shared/rpc/transport.ts";
import type { Layout } from "../shared/tensor/layout.ts";
import { consecutive, readRegions, sizeOf, writeRegions } from "../shared/tensor/regions.ts";

/** Bytes that lie in several places, sent as one. */
type Payload = readonly Uint8Array[];
/** All but the way that the payload takes. */
type Header = Omit<PushHeader, "shmFile" | "spread" | "bytes">;

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
  /** A gradient's payload is in the order of its shards; pixels are one region. */
  push(header: Header, payload: Payload, signal: AbortSignal): Promise<PushResponse>;
}

export interface TransferOptions {
  /** The coordinator. */
  readonly client: TrainingClient;
  /** Reducer processes: shard s is with number s mod K. Empty when the coordinator has all shards. */
  readonly reducers: readonly TrainingClient[];
  readonly job: string;
  readonly incarnation: number;
  readonly layout: Layout;
  /** Empty: no shared memory. */
  readonly shmFolder: string;
  /** So many bytes of payload are over. */
  readonly onMoved: (direction: "in" | "out", transport: "shm" | "grpc", bytes: number) => void;
}

/** Bytes between two words about a pull; a smaller one is not worth a word. */
const REPORT_BYTES = 16 * 1024 * 1024;

export function createTransfers(options: TransferOptions): Transfers {
  const { client, reducers, job, incarnation, layout, shmFolder, onMoved } = options;
  /** Files that a push is using. */
  const slots: boolean[] = [];
  const deadline = () => ({ deadline: Date.now() + CALL_DEADLINE_MS });
  const holderOf = (shard: number) => reducers[shard % reducers.length] ?? client;

  const pullShard = async (
    vector: VectorKind,
    version: number,
    shard: number,
    target: Uint8Array,
    onChunk: (bytes: number) => void,
    signal: AbortSignal,
  ) => {
    const call = holderOf(shard).pull({ job, incarnation, vector, version, shard }, deadline());
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

  /** The header goes to the coordinator, whose answer counts, and each reducer gets its shards at the same time. */
  const pushSpread = async (header: PushHeader, payload: Payload, signal: AbortSignal): Promise<PushResponse> => {
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    const answer = pushChunks(client, header, [], deadline(), either);
    const parts = reducers.map((reducer, k) => {
      const mine = payload.filter((_, shard) => shard % reducers.length === k);
      return pushChunks(reducer, header, mine, deadline(), either);
    });
    try {
      return await Promise.race([answer, Promise.all(parts).then(() => answer)]);
    } finally {
      over.abort();
      await Promise.allSettled([answer, ...parts]);
    }
  };

  return {
    async pull(kind, version, flat, onBytes, signal) {
      // No file, or not all of it: it was replaced by a newer version, or there was no room. The coordinator knows which.
      if (shmFolder && (await readShared(join(shmFolder, sharedParamsFile(kind, version)), flat)))
        return onMoved("in", "shm", flat.byteLength);
      const vector = kind === "ema" ? VectorKind.VECTOR_KIND_EMA : VectorKind.VECTOR_KIND_PARAMS;
      setMaxListeners(0, signal); // one a shard
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
      onMoved("in", "grpc", flat.byteLength);
    },

    async push(header, payload, signal) {
      const slot = slots.findIndex((taken) => !taken);
      const mine = slot < 0 ? slots.length : slot;
      slots[mine] = true;
      const bytes = sizeOf(payload);
      const whole: PushHeader = { ...header, bytes, shmFile: "", spread: false };
      try {
        const name = sharedResultFile(header.workerId, process.pid, mine);
        if (shmFolder && (await writeShared(join(shmFolder, name), payload))) {
          onMoved("out", "shm", bytes);
          return await pushChunks(client, { ...whole, shmFile: name }, [], deadline(), signal);
        }
        onMoved("out", "grpc", bytes);
        if (reducers.length > 0 && header.kind === WorkKind.WORK_KIND_GRADIENT)
          return await pushSpread({ ...whole, spread: true }, payload, signal);
        return await pushChunks(client, whole, payload, deadline(), signal);
      } finally {
        slots[mine] = false;
      }
    },
  };
}

/** @returns false when the file is not there or not whole. */
async function readShared(file: string, target: Uint8Array): Promise<boolean> {
  const bytes = await readRegions(file, consecutive([target])).catch(() => 0);
  return bytes === target.byteLength;
}

/** @returns false when there is no room: nothing is left of the file then. */
async function writeShared(file: string, payload: Payload): Promise<boolean> {
  try {
    await writeRegions(file, consecutive(payload));
    return true;
  } catch {
    await rm(file, { force: true });
    return false;
  }
}

function pushChunks(
  client: TrainingClient,
  header: PushHeader,
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
      await writeMessage(call, { part: { $case: "header", value: header } });
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
