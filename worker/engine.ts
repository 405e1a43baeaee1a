// What lives as long as a job does, whatever happens to sessions: the data set, the device, what is read ahead. A session
// gets its steps (step.ts) from here; what may go wrong with one ends here, or ends the session.

import { PushOutcome, type Welcome, WorkKind } from "../proto/gen/plume/v1/training.ts";
import { computeEnvironment } from "../shared/backends/environment.ts";
import type { Clock } from "../shared/clock.ts";
import { parseJob } from "../shared/config/load.ts";
import type { JobSpec } from "../shared/config/schema.ts";
import type { ImageSet } from "../shared/data/image-set.ts";
import { openImageSet } from "../shared/data/open.ts";
import { describeError, PlumeError } from "../shared/errors.ts";
import { readFrozen } from "../shared/frozen/read.ts";
import { invariant } from "../shared/invariant.ts";
import type { Logger } from "../shared/log.ts";
import { readHeldOut } from "../shared/pipeline/held-out.ts";
import { gridImages } from "../shared/pipeline/tiles.ts";
import type { Tracer } from "../shared/tracing/tracer.ts";
import type { Compute } from "./compute.ts";
import type { ComputeInit } from "./messages.ts";
import type { WorkerMeter } from "./meter.ts";
import type { Monitor } from "./monitor.ts";
import { createPrefetch, type Prefetch } from "./prefetch.ts";
import type { WorkerEngine } from "./session.ts";
import { createSteps, type Steps } from "./step.ts";
import { createTransfers } from "./transfers.ts";

interface Prepared {
  readonly spec: JobSpec;
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
  readonly tracer: Tracer;
  readonly openCompute: (init: ComputeInit) => Promise<Compute>;
  readonly meter: WorkerMeter;
  readonly monitor: Monitor;
}

export function createEngine(options: EngineOptions): WorkerEngine & AsyncDisposable {
  const { workerId, clock, log, tracer, openCompute, meter, monitor } = options;
  let prepared: Prepared | null = null;
  let steps: Steps | null = null;

  return {
    async prepare(welcome, dial, shmFolder) {
      if (prepared && prepared.specDigest !== welcome.specDigest)
        throw new PlumeError("FAILED_PRECONDITION", `the coordinator now runs another job: ${welcome.job}`, {
          remedy: "start this worker anew",
        });
      prepared ??= await open(welcome, openCompute, log);
      const { spec, compute, set, prefetch, numericsClass, specDigest } = prepared;
      const { backend, device, layout } = compute.ready;
      const { job, incarnation, reducerPorts } = welcome;
      const reducers = reducerPorts.map((port) => dial(port));
      const onMoved = meter.moved;
      const transfers = createTransfers({ client: dial(), reducers, job, incarnation, layout, shmFolder, onMoved });
      steps = createSteps({
        workerId,
        compute,
        prefetch,
        transfers,
        gridImages: gridImages(spec),
        clock,
        meter,
        tracer,
      });
      const metrics = await monitor.listen(job, spec.monitoring);
      const digests = { layoutDigest: layout.digest, specDigest, dataDigest: set.digest };
      return { backend, device, numericsClass, metricsPort: metrics.port, metricsHost: metrics.host, ...digests };
    },

    async work(lease, reports) {
      invariant(steps && lease.tuple, "a lease comes after the welcome");
      const { lo, hi, tuple, kind } = lease;
      log.debug({ step: tuple.step, lo, hi, attempt: tuple.attempt }, "lease taken");
      try {
        const run = kind === WorkKind.WORK_KIND_SAMPLE ? steps.sample : steps.gradient;
        const { outcome, reason } = await run(lease, reports);
        if (reason) log.warn({ step: tuple.step, lo, hi, outcome, reason }, "result not taken");
        const taken = outcome === PushOutcome.PUSH_OUTCOME_ACCEPTED;
        meter.block(taken);
        return taken;
      } catch (error) {
        // The coordinator has moved on: nothing is owed any more. Anything else ends the session.
        const stale = error instanceof PlumeError && error.code === "STALE";
        if (!stale && !reports.revoked.aborted) throw error;
        meter.block(false);
        log.info({ step: tuple.step, lo, hi, reason: describeError(error) }, "lease abandoned");
        return false;
      }
    },

    async [Symbol.asyncDispose]() {
      await prepared?.set.close();
    },
  };
}

async function open(
  { jobYaml, specDigest }: Welcome,
  openCompute: (init: ComputeInit) => Promise<Compute>,
  log: Logger,
): Promise<Prepared> {
  const { spec } = parseJob(jobYaml);
  const { seed, training, data, store, workers } = spec;
  const set = await openImageSet(data, {
    access: store,
    onSkip: (skipped, reason) => log.warn({ ...skipped, reason }, "sample skipped"),
  });
  const { height, width, channels } = set;
  const image = { height, width, channels };
  const frozen = await readFrozen(spec, image);
  const environment = computeEnvironment(workers);
  const heldOut = await readHeldOut(spec, gridImages(spec));
  const compute = await openCompute({ jobYaml, image, frozen, heldOut, environment });
  const order = { seed, datasetSize: set.size, globalBatch: training.globalBatch, microBatch: training.microBatch };
  const prefetch = createPrefetch(set, order, training.steps);
  return { spec, specDigest, set, compute, prefetch, numericsClass: await compute.canary() };
}
