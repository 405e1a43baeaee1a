// A coordinator put together: what it trains, what it leaves, who computes it, what saves it, what it answers. main.ts
// gives it adapters; run.ts gets the result. The order is that of trust: everything that can be wrong with a job is found
// before anything is written, and everything is open before a worker is let in.

import { rmSync } from "node:fs";
import type { Ending } from "../shared/bus/events.ts";
import { aborted } from "../shared/clock.ts";
import type { StatusReport } from "../shared/control/verbs.ts";
import { PlumeError } from "../shared/errors.ts";
import { countSkipped } from "../shared/ledger/skipped.ts";
import { isWeighted } from "../shared/pipeline/importance.ts";
import { isFinal, type PageAddress } from "../shared/supervision.ts";
import { createCommands } from "./control/commands.ts";
import { createDesk } from "./control/desk.ts";
import { createHold } from "./control/hold.ts";
import { pageOf, type RunView } from "./onlooker.ts";
import { openCrew } from "./opening/crew.ts";
import type { CoordinatorOptions } from "./opening/options.ts";
import { openSavers } from "./opening/savers.ts";
import { openTraces } from "./opening/traces.ts";
import { openTraining } from "./opening/training.ts";
import { createResults } from "./reporting/result.ts";
import { summarise } from "./reporting/summary.ts";
import { createControl } from "./rpc/control.ts";
import { bindServer, serve } from "./rpc/server.ts";
import { createGallery } from "./training/gallery.ts";
import { type RunContext, run, saveCheckpoint } from "./training/run.ts";

export interface RunServices {
  readonly address: string;
  readonly page: PageAddress | null;
  /** Trains to the end; resolves when everything is closed, with why the last state is not in the store. */
  train(stop: AbortSignal): Promise<string | null>;
}

const PATROL_MS = 100;
/** Whoever watches hears so often, however long a step takes. */
const STATUS_MS = 1_000;
/** Recoveries that a status shows, the newest. */
const SHOWN = 20;

export async function createRunServices(asked: CoordinatorOptions): Promise<RunServices> {
  const training = await openTraining(asked);
  const options = { ...asked, job: training.job };
  const { job, clock, bus, onlookers, supervisor } = options;
  const { spec } = job;
  const { name } = job.metadata;

  const bound = await bindServer(options.listen, options.plane, options.onRefused);
  for (const onlooker of onlookers) await onlooker.open(job);
  const traces = await openTraces(options, training);
  const crew = openCrew(options, training, traces);
  const savers = openSavers(options, training, traces);

  const { set, classes, vectors, reducer, importance, firstStep, snapshotFolder, warnings } = training;
  const { lock, reducerMetrics, incarnation, folder, log, ledger, decisions, events, accounts, tracer } = traces;
  const { dispatcher, sessions, sharedMemory, meters, membership, progress, members, status, setPhase, blemish } = crew;
  const { checkpointer, snapshotter, copied, unsaved } = savers;

  const hold = createHold(accounts.paused);
  const context: RunContext = {
    job,
    datasetSize: set.size,
    reducer,
    dispatcher,
    importance,
    serve: vectors.serve,
    sharedMemory,
    ledger,
    folder,
    checkpointer,
    snapshot: snapshotter.offer,
    copied,
    gallery: createGallery({
      spec,
      classes,
      set,
      reducer,
      dispatcher,
      sharedMemory,
      folder,
      bus,
      tracer: options.tracer,
    }),
    hold,
    bus,
    tracer,
    lingers: options.linger !== undefined,
    now: () => clock.now(),
    setPhase,
    onOtherBits: (step, digest, before) =>
      blemish(`step ${step} was computed again with other bits: gradient ${digest}, before it was ${before}`),
  };

  let productive = false;
  bus.subscribe((event) => {
    if (event.kind !== "step") return;
    if (!productive) supervisor?.productive();
    productive = true;
    for (const recovery of accounts.committed(event.step, event.seconds.total)) {
      log.info({ ...recovery }, "recovered");
      bus.publish({ kind: "recovered", recovery });
    }
    bus.publish({ kind: "status", status: status() });
  });

  const commands = createCommands({
    job: name,
    spec,
    hold,
    accounts,
    decisions,
    bus,
    phase: () => progress.view().phase,
    supervisor,
    async checkpoint() {
      await saveCheckpoint(context);
      const step = dispatcher.version;
      await checkpointer.settled();
      return { step, written: checkpointer.newest === step, reason: results.view().unsaved };
    },
  });
  const results = createResults(training.store.url, checkpointer.newest, Date.now);
  bus.subscribe((event) => {
    if (event.kind === "checkpoint") results.written(event.step);
    if (event.kind === "checkpoint-retry" || event.kind === "checkpoint-failed")
      results.failing(`step ${event.step}: ${event.reason}`);
  });
  /** How it ended, while it lingers. */
  let over: { readonly phase: Ending; readonly reason: string } | null = null;
  const report = (): StatusReport => ({
    ...status(),
    ...results.view(),
    over: over !== null,
    recoveries: accounts.recoveries.slice(-SHOWN),
    decisions: [...decisions.newest],
  });
  const desk = createDesk({ commands, report, stop: options.requestStop, bus });
  const committedBefore = firstStep + ledger.cut.size;
  const view: RunView = {
    job,
    incarnation,
    folder: folder.path,
    status,
    report,
    context: { spec, datasetSize: set.size, committedBefore, epochMs: Date.now },
    facts: () => ({
      committedSteps: Math.max(dispatcher.version, committedBefore),
      secondsByState: accounts.counted,
      checkpointStep: checkpointer.newest,
      work: dispatcher.work,
      flows: meters.flows(),
      gradientRawBytes: meters.gradientRawBytes(),
      saveBufferBytes: training.buffers.used,
    }),
    workerTargets: () => membership.metricsTargets,
    reducerMetrics,
    warnings,
    bus,
    events,
    desk,
    log,
  };
  // What an onlooker warns of now is news to whoever begins to watch later.
  const unheard = bus.subscribe((event) => void (event.kind === "warning" && warnings.push(event.message)));
  for (const onlooker of onlookers) await onlooker.attach(view);
  unheard();
  const server = serve(
    bound,
    sessions,
    {
      job: name,
      incarnation,
      get version() {
        return dispatcher.version;
      },
      bytes: vectors.bytes,
      dispatcher,
      shmFolder: sharedMemory.folder,
      sampleLosses: isWeighted(spec) ? spec.training.microBatch : 0,
      onReceived: meters.onReceived,
      onSent: meters.onSent,
    },
    createControl({ bus, events, incarnation, desk, status, warnings }),
  );
  const page = pageOf(onlookers);
  lock.announce(server.address, page?.url);
  const atRest = () => {
    const { phase, reason } = progress.view();
    return phase === "Paused" && hold.paused !== null ? reason : null;
  };
  await supervisor?.watch?.({
    incarnation,
    max: spec.workers.max,
    over: () => over,
    resting: atRest,
    desired: () => accounts.desired,
    paused: () => accounts.paused,
    adopt: commands.adopt,
    bus,
    log,
  });

  /** Files that say how the run ended. @returns why its last state is not in the store; null when it is. */
  const conclude = async (stop: AbortSignal) => {
    const outcome = await run(context, firstStep, stop);
    folder.chart(name);
    await snapshotter.settled();
    const missing = await unsaved(outcome.step);
    if (missing === null) rmSync(snapshotFolder, { recursive: true, force: true });
    const summary = await summarise({
      job,
      set,
      skippedSamples: spec.data.onError === "skip" ? countSkipped(folder.file("ledger.ndjson")) : 0,
      outcome,
      reducer,
      progress,
      accounts,
      classes: membership.classes,
      incarnation,
      members: members(),
      checkpoint: checkpointer.newest,
      unsaved: missing,
    });
    results.ended(summary);
    folder.write("summary.json", `${JSON.stringify(summary, null, 2)}\n`);
    const reason = `${outcome.step} of ${spec.training.steps} steps`;
    const phase = outcome.kind === "complete" ? "Complete" : "Stopped";
    setPhase(phase, reason);
    bus.publish({ kind: "end", outcome: outcome.kind, reason });
    // What is not in the store is saved by the next process.
    if (missing === null) await linger(phase, reason);
    return missing;
  };

  /** Answers on, where the cluster would start this process again: until it is asked to end. */
  const linger = async (phase: Ending, reason: string) => {
    const { linger: end } = options;
    if (!end || end.aborted) return;
    over = { phase, reason };
    accounts.close(true);
    log.info({ phase, reason }, "the run is over; answering until this process is ended");
    bus.publish({ kind: "status", status: status() });
    supervisor?.nudge?.();
    if (!supervisor) sessions.drain("the run is over");
    await aborted(end);
  };

  const close = async (ended: boolean) => {
    supervisor?.ending();
    // In a cluster workers outlive a coordinator that has to go: they find the next one.
    if (!options.linger) sessions.drain("the run is over");
    ledger.close();
    accounts.close(ended);
    await server.close();
    for (const onlooker of onlookers) await onlooker.close();
    sharedMemory.dispose();
    lock.release();
    await reducer[Symbol.asyncDispose]();
  };

  return {
    address: server.address,
    page,
    async train(stop) {
      let ended = true;
      const patrol = setInterval(() => dispatcher.patrol(), PATROL_MS);
      const pulse = setInterval(() => bus.publish({ kind: "status", status: status() }), STATUS_MS);
      try {
        return await conclude(stop);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        ended = error instanceof PlumeError && isFinal(error.code);
        setPhase("Failed", reason);
        bus.publish({ kind: "end", outcome: "failed", reason });
        if (ended) await linger("Failed", reason);
        throw error;
      } finally {
        clearInterval(patrol);
        clearInterval(pulse);
        await close(ended);
      }
    },
  };
}
