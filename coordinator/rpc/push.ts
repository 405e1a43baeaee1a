// Results of leases come in. The header says what was computed; the payload follows it in chunks, or lies in a file on
// tmpfs that both ends see, or goes to the reducer processes in pushes of their own.

import { basename, join } from "node:path";
import type { ServerReadableStream, sendUnaryData } from "@grpc/grpc-js";
import {
  type PushHeader,
  PushOutcome,
  type PushRequest,
  type PushResponse,
  WorkKind,
} from "../../proto/gen/plume/v1/training.ts";
import { OTHER_VERSION, PlumeError } from "../../shared/errors.ts";
import { workerId } from "../../shared/ids.ts";
import type { Source } from "../../shared/kernels/group.ts";
import { toServiceError } from "../../shared/rpc/call.ts";
import { unseal } from "../../shared/rpc/sealed.ts";
import type { Result } from "../aggregation/round.ts";
import type { Sink } from "../aggregation/sink.ts";
import type { Dispatcher } from "../dispatcher.ts";

export interface PushTarget {
  readonly dispatcher: Pick<Dispatcher, "claim" | "receive" | "handIn">;
  /** Empty when there is none. */
  readonly shmFolder: string;
  /** Losses that come with each micro-batch: of every sample, or none. */
  readonly sampleLosses: number;
  /** So many bytes of a result are here. */
  readonly onReceived?: (payload: "gradient" | "sample", transport: "shm" | "grpc", bytes: number) => void;
}

export type PushCall = ServerReadableStream<PushRequest, PushResponse>;

export async function handlePush(
  { dispatcher, shmFolder, sampleLosses, onReceived }: PushTarget,
  call: PushCall,
  respond: sendUnaryData<PushResponse>,
): Promise<void> {
  let sink: Sink | null = null;
  const gone = new AbortController();
  call.once("cancelled", () => gone.abort());
  try {
    const { header, chunks } = await openPush(call);
    const worker = workerId(header.workerId);
    const kind = header.kind === WorkKind.WORK_KIND_SAMPLE ? "sample" : "gradient";
    const result = resultOf(header, kind === "gradient" ? sampleLosses : 0);
    const claim = dispatcher.claim(worker, { tuple: header.tuple, kind, block: header }, result.digest);
    if (claim.kind !== "take") return respond(null, { outcome: outcomes[claim.kind], reason: claim.reason });
    const { lease } = claim;
    sink = dispatcher.receive(lease);
    if (header.bytes !== sink.bytes)
      throw new PlumeError(
        "INVALID_ARGUMENT",
        `${header.bytes} bytes announced for a payload of ${sink.bytes}`,
        OTHER_VERSION,
      );
    const received = await sink.fill(sourceOf(header, chunks, shmFolder), gone.signal);
    onReceived?.(kind, header.shmFile ? "shm" : "grpc", received);
    if (received !== sink.bytes) throw new PlumeError("DATA_LOSS", `${received} of ${sink.bytes} bytes arrived`);
    const digest = await sink.arrived();
    if (digest !== header.digest)
      throw new PlumeError("DATA_LOSS", `the payload's digest is ${digest}, its sender says ${header.digest}`);
    const whole = sink;
    sink = null; // from here on the round owns it
    const verdict = dispatcher.handIn(lease, result, whole);
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

/** The header that a push begins with, and what follows it. @throws PlumeError INVALID_ARGUMENT when it begins otherwise. */
export async function openPush(call: PushCall): Promise<{ header: PushHeader; chunks: AsyncIterable<Uint8Array> }> {
  const parts = call[Symbol.asyncIterator]() as AsyncIterator<PushRequest>;
  const first = await parts.next();
  const header = !first.done && first.value.part?.$case === "header" ? first.value.part.value : null;
  if (!header) throw new PlumeError("INVALID_ARGUMENT", "a push begins with its header", OTHER_VERSION);
  return { header, chunks: chunksIn(parts) };
}

async function* chunksIn(parts: AsyncIterator<PushRequest>): AsyncGenerator<Uint8Array> {
  for (let next = await parts.next(); !next.done; next = await parts.next()) {
    if (next.value.part?.$case !== "chunk")
      throw new PlumeError("INVALID_ARGUMENT", "a push has one header", OTHER_VERSION);
    yield next.value.part.value;
  }
}

/** What the pushes of one result have in common, and no others. */
export const pushKey = ({ workerId, tuple, lo, hi }: PushHeader): string =>
  `${workerId} ${tuple?.incarnation} ${tuple?.step} ${tuple?.attempt} ${lo}-${hi}`;

function sourceOf(header: PushHeader, chunks: AsyncIterable<Uint8Array>, shmFolder: string): Source {
  if (header.spread) return { kind: "push", key: pushKey(header) };
  if (!header.shmFile) return { kind: "chunks", chunks };
  // A plain name inside the shared folder; anything else is refused.
  if (!shmFolder || header.shmFile !== basename(header.shmFile))
    throw new PlumeError("INVALID_ARGUMENT", `${header.shmFile} is no file of the shared folder`, OTHER_VERSION);
  return { kind: "file", file: join(shmFolder, header.shmFile) };
}

function resultOf(header: PushHeader, lossesPerPiece: number): Result {
  const sealed = header.sampleLosses;
  return {
    block: { lo: header.lo, hi: header.hi },
    worker: workerId(header.workerId),
    attempt: header.tuple?.attempt ?? 0,
    // What two workers must agree on is all that the run goes on with.
    digest: sealed ? `${header.digest}-${sealed.subarray(-4).toString("hex")}` : header.digest,
    losses: header.losses,
    sampleLosses: lossesIn(sealed, lossesPerPiece * (header.hi - header.lo)),
    ids: header.ids,
    seconds: header.seconds,
    skipped: header.skipped,
  };
}

/** float32 of each sample; empty where none should come. @throws PlumeError DATA_LOSS, INVALID_ARGUMENT for another number. */
function lossesIn(sealed: Buffer | undefined, expected: number): Float32Array {
  const bytes = sealed ? unseal(sealed) : new ArrayBuffer(0);
  if (!bytes)
    throw new PlumeError("DATA_LOSS", "the losses of the samples do not fit the checksum that came with them");
  const losses = new Float32Array(bytes);
  if (losses.length === expected) return losses;
  throw new PlumeError("INVALID_ARGUMENT", `${losses.length} losses came for ${expected} samples`, OTHER_VERSION);
}
