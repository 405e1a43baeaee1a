// What a worker does with a lease: parameters at the lease's version, batches, compute, push. The step, top to bottom.

import { createHash } from "node:crypto";
import { type Lease, PushOutcome, type Welcome, WorkKind } from "../proto/gen/plume/v1/training.ts";
import { computeEnvironment } from "../shared/backends/environment.ts";
import type { Clock } from "../shared/clock.ts";
import { parseJob } from "../shared/config/load.ts";
import type { Job } from "../shared/config/schema.ts";
import type { ImageSet } from "../shared/data/image-set.ts";
import { openImageSet } from "../shared/data/open.ts";
import { describeError, PlumeError } from "../shared/errors.ts";
import { invariant } from "../shared/invariant.ts";
import type { Logger } from "../shared/log.ts";
import { tileRange } from "../shared/pipeline/tiles.ts";
import { bytesOf } from "../shared/rpc/call.ts";
import type { Compute } from "./compute.ts";
import type { ComputeInit } from "./messages.ts";
import { createPrefetch, type Prefetch } from "./prefetch.ts";
import type { Reports, WorkerEngine } from "./session.ts";
import { createTransfers, type Transfers } from "./transfers.ts";

/** All that lives as long as the job does, whatever happens to sessions. */
interface Prepared {
  readonly job: Job;
  readonly specDigest: string;
  readonly set: ImageSet;
  readonly compute: Compute;
  readonly prefetch: Prefetch;
  readonly numericsClass: string;
}

export interface EngineOptions {
  readonly workerId: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly openCompute: (init: ComputeInit) => Promise<Compute>;
}

export function createEngine({ workerId, clock, log, openCompute }: EngineOptions): WorkerEngine & AsyncDisposable {
  let prepared: Prepared | null = null;
  let transfers: Transfers | null = null;
  let onDevice = "";

  const open = async ({ jobYaml, specDigest }: Welcome): Promise<Prepared> => {
    const job = parseJob(jobYaml);
    const { seed, training, data, workers } = job.spec;
    const set = await openImageSet(data);
    const { height, width, channels } = set;
    const environment = computeEnvironment(workers);
    const compute = await openCompute({ jobYaml, image: { height, width, channels }, environment });
    const order = { seed, datasetSize: set.size, globalBatch: training.globalBatch, microBatch: training.microBatch };
    return {
      job,
      specDigest,
      set,
      compute,
      prefetch: createPrefetch(set, order, training.steps),
      numericsClass: await compute.canary(),
    };
  };

  /** Brings the device to the vector that a lease begins with. @returns seconds spent. */
  const ensure = async (
    { compute }: Prepared,
    vector: "params" | "ema",
    { paramsVersion, vectorDigest }: Lease,
    reports: Reports,
  ): Promise<number> => {
    const wanted = `${vector}@${paramsVersion}`;
    if (onDevice === wanted) return 0;
    const started = clock.now();
    onDevice = ""; // a failure in between leaves the device at no version
    await undamaged(async () => {
      await transfers!.pull(vector, paramsVersion, bytesOf(compute.ready.landing), reports.transfer, reports.revoked);
      await compute.load(vectorDigest);
    });
    onDevice = wanted;
    return (clock.now() - started) / 1000;
  };

  const gradient = async (lease: Lease, state: Prepared, reports: Reports) => {
    const { lo, hi, tuple } = lease;
    const batches = state.prefetch.take(tuple!.step, { lo, hi });
    batches.catch(() => {});
    const pull = await ensure(state, "params", lease, reports);
    const loaded = await batches;
    const raw = loaded.map(({ index, pixels, labels }) => ({ index, pixels, labels }));
    const result = await state.compute.gradient(tuple!.step, { lo, hi }, raw, reports.progress, reports.revoked);
    const { payload } = result;
    const header = {
      workerId,
      tuple,
      lo,
      hi,
      kind: WorkKind.WORK_KIND_GRADIENT,
      digest: result.digest,
      losses: [...result.losses],
      ids: loaded.map((batch) => batch.ids),
      seconds: { ...result.seconds, pull },
    };
    try {
      return await undamaged(() => transfers!.push(header, payload, reports.closed));
    } finally {
      state.compute.release(result.id);
    }
  };

  const sample = async (lease: Lease, state: Prepared, reports: Reports) => {
    const { lo, hi, tuple } = lease;
    const pull = await ensure(state, "ema", lease, reports);
    const { from, to } = tileRange({ lo, hi }, state.job.spec.sampling.count);
    const { pixels, seconds } = await state.compute.sample(from, to, (done) => reports.progress(done, 0));
    const digest = createHash("sha256").update(pixels).digest("hex");
    const kind = WorkKind.WORK_KIND_SAMPLE;
    const header = {
      workerId,
      tuple,
      lo,
      hi,
      kind,
      digest,
      losses: [],
      ids: [],
      seconds: { ...seconds, pull },
    };
    return undamaged(() => transfers!.push(header, [pixels], reports.closed));
  };

  return {
    async prepare(welcome, dial, shmFolder) {
      if (prepared && prepared.specDigest !== welcome.specDigest)
        throw new PlumeError(
          "FAILED_PRECONDITION",
          `the coordinator now runs another job (${welcome.job}); this worker must be started anew`,
        );
      prepared ??= await open(welcome);
      const { compute, set, numericsClass, specDigest } = prepared;
      const { backend, device, layout } = compute.ready;
      const { job, incarnation, reducerPorts } = welcome;
      const reducers = reducerPorts.map((port) => dial(port));
      transfers = createTransfers({ client: dial(), reducers, job, incarnation, layout, shmFolder });
      onDevice = ""; // versions of another incarnation mean nothing here
      return { backend, device, layoutDigest: layout.digest, numericsClass, specDigest, dataDigest: set.digest };
    },

    async work(lease, reports) {
      invariant(prepared && transfers && lease.tuple, "a lease comes after the welcome");
      const { lo, hi, tuple, kind } = lease;
      try {
        const run = kind === WorkKind.WORK_KIND_SAMPLE ? sample : gradient;
        const { outcome, reason } = await run(lease, prepared, reports);
        if (reason) log.warn({ step: tuple.step, lo, hi, outcome, reason }, "result not taken");
        return outcome === PushOutcome.PUSH_OUTCOME_ACCEPTED;
      } catch (error) {
        // The coordinator has moved on: nothing is owed any more. Anything else ends the session.
        const stale = error instanceof PlumeError && error.code === "STALE";
        if (!stale && !reports.revoked.aborted) throw error;
        log.info({ step: tuple.step, lo, hi, reason: describeError(error) }, "lease abandoned");
        return false;
      }
    },

    async [Symbol.asyncDispose]() {
      await prepared?.set.close();
    },
  };
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
