// Vectors go out, shard by shard: from the coordinator, or from the reducer process that holds the shard.

import type { ServerWritableStream } from "@grpc/grpc-js";
import { type PullRequest, type PullResponse, VectorKind } from "../../proto/gen/plume/v1/training.ts";
import { OTHER_VERSION, PlumeError } from "../../shared/errors.ts";
import { chunksOf, toServiceError, writeMessage } from "../../shared/rpc/call.ts";

export interface PullSource {
  readonly job: string;
  readonly incarnation: number;
  /** Version of the vectors: the number of committed steps. */
  readonly version: number;
  /** A shard's bytes as they are; undefined when they are not here. */
  bytes(vector: "params" | "ema", shard: number): Uint8Array | undefined;
  /** A shard was sent. */
  readonly onSent?: (vector: "params" | "ema", bytes: number) => void;
}

export async function handlePull(
  source: PullSource,
  call: ServerWritableStream<PullRequest, PullResponse>,
): Promise<void> {
  const { vector, version, shard } = call.request;
  try {
    refuseStale(source, call.request);
    const kind = vector === VectorKind.VECTOR_KIND_EMA ? "ema" : "params";
    const bytes = source.bytes(kind, shard);
    if (!bytes) throw new PlumeError("INVALID_ARGUMENT", `shard ${shard} asked for, it is not here`, OTHER_VERSION);
    for (const chunk of chunksOf(bytes)) {
      await writeMessage(call, { chunk: chunk as Buffer });
      // The vector is read while it is sent: a commit in between would tear it, so the puller must ask again.
      if (source.version !== version)
        throw new PlumeError("STALE", `version ${version} was replaced by ${source.version} while it was sent`);
    }
    source.onSent?.(kind, bytes.byteLength);
    call.end();
  } catch (error) {
    call.emit("error", toServiceError(error));
  }
}

function refuseStale(
  source: PullSource,
  { job, incarnation, version }: { job: string; incarnation: number; version: number },
): void {
  if (job !== source.job) throw new PlumeError("STALE", `job ${job} asked for, this is ${source.job}`);
  if (incarnation !== source.incarnation)
    throw new PlumeError("STALE", `incarnation ${incarnation} is over, this is ${source.incarnation}`);
  if (version !== source.version)
    throw new PlumeError("STALE", `version ${version} asked for, the parameters are at ${source.version}`);
}
