// What a worker does with a lease, top to bottom: parameters at the lease's version, batches, compute, push. One of these a
// session: versions of another incarnation mean nothing here.

import { createHash } from "node:crypto";
import { type Lease, type PushResponse, WorkKind } from "../proto/gen/plume/v1/training.ts";
import type { Clock } from "../shared/clock.ts";
import { PlumeError } from "../shared/errors.ts";
import { tileRange } from "../shared/pipeline/tiles.ts";
import { bytesOf } from "../shared/rpc/call.ts";
import { seal, unseal } from "../shared/rpc/sealed.ts";
import { type Tracer, traced } from "../shared/tracing/tracer.ts";
import type { Compute } from "./compute.ts";
import type { WorkerMeter } from "./meter.ts";
import type { Prefetch } from "./prefetch.ts";
import type { Reports } from "./session.ts";
import type { Transfers } from "./transfers.ts";

export interface StepOptions {
  readonly workerId: string;
  readonly compute: Compute;
  readonly prefetch: Prefetch;
  readonly transfers: Transfers;
  /** Images of a sample grid. */
  readonly gridImages: number;
  readonly clock: Clock;
  readonly meter: Pick<WorkerMeter, "computed" | "spent">;
  readonly tracer: Tracer;
}

export interface Steps {
  /** The sum of a block's gradients. */
  gradient(lease: Lease, reports: Reports): Promise<PushResponse>;
  /** Tiles of a sample grid. */
  sample(lease: Lease, reports: Reports): Promise<PushResponse>;
}

export function createSteps(options: StepOptions): Steps {
  const { workerId, compute, prefetch, transfers, gridImages, clock, meter, tracer } = options;
  let onDevice = "";

  /** A lease is a span, and each part of its work one in it. */
  const begin = ({ tuple, lo, hi, traceParent }: Lease) => {
    const { job, incarnation, step, attempt } = tuple!;
    const attributes = {
      "plume.job": job,
      "plume.incarnation": incarnation,
      "plume.step": step,
      "plume.worker": workerId,
      "plume.attempt": attempt,
      "plume.lo": lo,
      "plume.hi": hi,
    };
    const span = tracer.span("lease", { parent: traceParent, attributes });
    const part = <T>(name: string, body: () => Promise<T>) =>
      traced(tracer.span(name, { parent: span.context, attributes }), body);
    return { span, part };
  };

  /** Brings the device to the vector that a lease begins with. @returns seconds spent. */
  const ensure = async (
    vector: "params" | "ema",
    { paramsVersion, vectorDigest }: Lease,
    { transfer, revoked }: Reports,
  ): Promise<number> => {
    const wanted = `${vector}@${paramsVersion}`;
    if (onDevice === wanted) return 0;
    const started = clock.now();
    onDevice = ""; // a failure in between leaves the device at no version
    await undamaged(async () => {
      await transfers.pull(vector, paramsVersion, bytesOf(compute.ready.landing), transfer, revoked);
      await compute.load(vectorDigest);
    });
    onDevice = wanted;
    const seconds = (clock.now() - started) / 1000;
    meter.spent("pull", seconds);
    return seconds;
  };

  type Part = ReturnType<typeof begin>["part"];

  const work = {
    async gradient(lease: Lease, reports: Reports, part: Part) {
      const { lo, hi, tuple } = lease;
      const step = tuple!.step;
      const weights = weightsOf(lease);

      // Images are read while the parameters travel.
      const batches = prefetch.take(step, { lo, hi });
      batches.catch(() => {});
      const pull = await part("pull", () => ensure("params", lease, reports));
      const asked = clock.now();
      const loaded = await part("data", () => batches);
      const data = (clock.now() - asked) / 1000;
      meter.spent("data", data);

      const raw = loaded.map(({ ids: _, skipped: __, ...batch }) => batch);
      const result = await part("compute", () =>
        compute.gradient(step, { lo, hi }, raw, weights, reports.progress, reports.revoked),
      );

      const { digest, losses, payload } = result;
      meter.computed(hi - lo, result.device);
      meter.spent("compute", result.seconds.compute ?? 0);
      const ids = loaded.map((batch) => batch.ids);
      const skipped = loaded.flatMap((batch) => batch.skipped);
      const seconds = { ...result.seconds, pull, data };
      const kind = WorkKind.WORK_KIND_GRADIENT;
      const sampleLosses = result.sampleLosses && seal(result.sampleLosses);
      const header = {
        workerId,
        tuple,
        lo,
        hi,
        kind,
        digest,
        losses: [...losses],
        sampleLosses,
        ids,
        skipped,
        seconds,
      };
      const pushed = clock.now();
      try {
        return await part("push", () => undamaged(() => transfers.push(header, payload, reports.closed)));
      } finally {
        meter.spent("push", (clock.now() - pushed) / 1000);
        compute.release(result.id);
      }
    },

    async sample(lease: Lease, reports: Reports, part: Part) {
      const { lo, hi, tuple } = lease;
      const pull = await part("pull", () => ensure("ema", lease, reports));
      const { from, to } = tileRange({ lo, hi }, gridImages);
      const result = await part("compute", () => compute.sample(from, to, (done) => reports.progress(done, 0)));
      const digest = createHash("sha256").update(result.pixels).digest("hex");
      const seconds = { ...result.seconds, pull };
      const kind = WorkKind.WORK_KIND_SAMPLE;
      const header = { workerId, tuple, lo, hi, kind, digest, losses: [], ids: [], skipped: [], seconds };
      return part("push", () => undamaged(() => transfers.push(header, [result.pixels], reports.closed)));
    },
  };

  const whole = (kind: keyof typeof work) => (lease: Lease, reports: Reports) => {
    const { span, part } = begin(lease);
    return traced(span, () => work[kind](lease, reports, part));
  };
  return { gradient: whole("gradient"), sample: whole("sample") };
}

/** What a lease's time steps are drawn by. @throws PlumeError UNAVAILABLE when it was damaged on its way. */
function weightsOf({ timestepWeights: sealed }: Lease): Float64Array | undefined {
  if (!sealed) return undefined;
  const bytes = unseal(sealed);
  if (bytes) return new Float64Array(bytes);
  throw new PlumeError(
    "UNAVAILABLE",
    "the weights of a lease's time steps do not fit the checksum that came with them",
  );
}

/** Times that a transfer is tried before the connection is given up. */
const TRANSFERS = 3;

/** A transfer whose digest does not fit is repeated; one that never fits says that the connection is bad, not the data. */
async function undamaged<T>(transfer: () => Promise<T>): Promise<T> {
  for (let left = TRANSFERS; ; left--) {
    try {
      return await transfer();
    } catch (error) {
      if (!(error instanceof PlumeError) || error.code !== "DATA_LOSS") throw error;
      if (left === 1) throw new PlumeError("UNAVAILABLE", `${TRANSFERS} times: ${error.message}`, { cause: error });
    }
  }
}
