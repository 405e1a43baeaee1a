// The data plane on the coordinator's side: parameters go out by shard, results of leases come in.
// Payloads travel as gRPC chunks, or lie in a file on tmpfs that both ends see and only their name travels.

import { basename, join } from "node:path";
import type { ServerReadableStream, ServerWritableStream, sendUnaryData } from "@grpc/grpc-js";
import {
  type PullRequest,
  type PullResponse,
  type PushHeader,
  PushOutcome,
  type PushRequest,
  type PushResponse,
  VectorKind,
  WorkKind,
} from "../../proto/gen/plume/v1/training.ts";
import { PlumeError } from "../../shared/errors.ts";
import { workerId } from "../../shared/ids.ts";
import type { Reducer } from "../../shared/kernels/reducer.ts";
import { bytesOf, chunksOf, toServiceError, writeMessage } from "../../shared/rpc/call.ts";
import { readRegions } from "../../shared/rpc/shm.ts";
import type { Result } from "../aggregation/round.ts";
import type { Sink } from "../aggregation/sink.ts";
import type { Dispatcher } from "../dispatcher.ts";

export interface Plane {
  readonly job: string;
  readonly incarnation: number;
  readonly dispatcher: Pick<Dispatcher, "version" | "claim" | "receive" | "handIn">;
  readonly reducer: Reducer;
  readonly shmFolder: string;
}

export async function handlePull(plane: Plane, call: ServerWritableStream<PullRequest, PullResponse>): Promise<void> {
  const { vector, version, shard } = call.request;
  try {
    refuseStale(plane, call.request);
    if (shard >= plane.reducer.layout.shards.length)
      throw new PlumeError(
        "INVALID_ARGUMENT",
        `shard ${shard} asked for, there are ${plane.reducer.layout.shards.length}`,
      );
    const source = vector === VectorKind.VECTOR_KIND_EMA ? plane.reducer.ema : plane.reducer.params;
    for (const chunk of chunksOf(bytesOf(source.shard(shard)))) {
      await writeMessage(call, { chunk: chunk as Buffer });
      // The vector is read while it is sent: a commit in between would tear it, so the puller must ask again.
      if (plane.dispatcher.version !== version)
        throw new PlumeError(
          "STALE",
          `version ${version} was replaced by ${plane.dispatcher.version} while it was sent`,
        );
    }
    call.end();
  } catch (error) {
    call.emit("error", toServiceError(error));
  }
}

function refuseStale(
  plane: Plane,
  { job, incarnation, version }: { job: string; incarnation: number; version: number },
): void {
  if (job !== plane.job) throw new PlumeError("STALE", `job ${job} asked for, this is ${plane.job}`);
  if (incarnation !== plane.incarnation)
    throw new PlumeError("STALE", `incarnation ${incarnation} is over, this is ${plane.incarnation}`);
  if (version !== plane.dispatcher.version)
    throw new PlumeError("STALE", `version ${version} asked for, the parameters are at ${plane.dispatcher.version}`);
}

export async function handlePush(
  plane: Plane,
  call: ServerReadableStream<PushRequest, PushResponse>,
  respond: sendUnaryData<PushResponse>,
): Promise<void> {
  let sink: Sink | null = null;
  try {
    const parts = call[Symbol.asyncIterator]() as AsyncIterator<PushRequest>;
    const first = await parts.next();
    const header = !first.done && first.value.part?.$case === "header" ? first.value.part.value : null;
    if (!header) throw new PlumeError("INVALID_ARGUMENT", "a push begins with its header");
    const worker = workerId(header.workerId);
    const kind = header.kind === WorkKind.WORK_KIND_SAMPLE ? "sample" : "gradient";
    const claim = plane.dispatcher.claim(worker, { tuple: header.tuple, kind, block: header }, header.digest);
    if (claim.kind !== "take") return respond(null, { outcome: outcomes[claim.kind], reason: claim.reason });
    const { lease } = claim;
    sink = plane.dispatcher.receive(lease);
    if (header.bytes !== sink.bytes)
      throw new PlumeError("INVALID_ARGUMENT", `${header.bytes} bytes announced for a payload of ${sink.bytes}`);
    const received = header.shmFile ? await readShared(plane, header.shmFile, sink) : await readChunks(parts, sink);
    if (received !== sink.bytes) throw new PlumeError("DATA_LOSS", `${received} of ${sink.bytes} bytes arrived`);
    const digest = await sink.arrived();
    if (digest !== header.digest)
      throw new PlumeError("DATA_LOSS", `the payload's digest is ${digest}, its sender says ${header.digest}`);
    const whole = sink;
    sink = null; // from here on the round owns it
    const verdict = plane.dispatcher.handIn(lease, resultOf(header), whole);
    const reason = verdict.kind === "accept" ? "" : verdict.reason;
    respond(null, { outcome: outcomes[verdict.kind], reason });
  } catch (error) {
    sink?.discard();
    respond(toServiceError(error));
  }
}

const outcomes = {
  accept: PushOutcome.PUSH_OUTCOME_ACCEPTED,
  hold: PushOutcome.PUSH_OUTCOME_ACCEPTED,
  liar: PushOutcome.PUSH_OUTCOME_ACCEPTED,
  unsettled: PushOutcome.PUSH_OUTCOME_ACCEPTED,
  duplicate: PushOutcome.PUSH_OUTCOME_DUPLICATE,
  stale: PushOutcome.PUSH_OUTCOME_STALE,
} as const;

function resultOf(header: PushHeader): Result {
  return {
    block: { lo: header.lo, hi: header.hi },
    worker: workerId(header.workerId),
    attempt: header.tuple?.attempt ?? 0,
    digest: header.digest,
    losses: header.losses,
    ids: header.ids,
    seconds: header.seconds,
  };
}

async function readChunks(parts: AsyncIterator<PushRequest>, sink: Sink): Promise<number> {
  let received = 0;
  let region = 0;
  let at = 0;
  for (let next = await parts.next(); !next.done; next = await parts.next()) {
    if (next.value.part?.$case !== "chunk") throw new PlumeError("INVALID_ARGUMENT", "a push has one header");
    let chunk: Uint8Array = next.value.part.value;
    received += chunk.byteLength;
    while (chunk.byteLength > 0) {
      const target = sink.regions[region];
      if (!target) throw new PlumeError("INVALID_ARGUMENT", `more than the announced ${sink.bytes} bytes`);
      const take = Math.min(chunk.byteLength, target.byteLength - at);
      target.set(chunk.subarray(0, take), at);
      at += take;
      chunk = chunk.subarray(take);
      if (at === target.byteLength) {
        region++;
        at = 0;
      }
    }
  }
  return received;
}

/** @param file a plain name inside the shared folder; anything else is refused. */
function readShared(plane: Plane, file: string, sink: Sink): Promise<number> {
  if (!plane.shmFolder || file !== basename(file))
    throw new PlumeError("INVALID_ARGUMENT", `${file} is no file of the shared folder`);
  return readRegions(join(plane.shmFolder, file), sink.regions);
}
