// Wires a run: data, reducer, state, membership, server, files. main.ts gives it adapters; run.ts gets the result.

import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Bus } from "../shared/bus/bus.ts";
import type { Clock } from "../shared/clock.ts";
import { dumpJob } from "../shared/config/load.ts";
import type { Job } from "../shared/config/schema.ts";
import { describeImageSet, readCard } from "../shared/data/card.ts";
import { checkClasses } from "../shared/data/open.ts";
import { describeError, PlumeError } from "../shared/errors.ts";
import { openLedger, stepsInLedger } from "../shared/ledger/ledger.ts";
import type { Logger } from "../shared/log.ts";
import { OPTIMIZERS } from "../shared/optim/optimizers.ts";
import { buildNetwork } from "../shared/pipeline/network.ts";
import { PURPOSE, uniforms } from "../shared/rng/stream.ts";
import { splitAddress } from "../shared/rpc/transport.ts";
import { acquireRunLock } from "../shared/run-lock/lock.ts";
import { fileStore } from "../shared/store/file.ts";
import { openStore } from "../shared/store/open.ts";
import { isFinal } from "../shared/supervision.ts";
import { buildLayout } from "../shared/tensor/layout.ts";
import { PLUME_VERSION } from "../shared/version.ts";
import { openWire } from "../shared/wire/index.ts";
import { createAccounts } from "./accounts.ts";
import { createCheckpointer } from "./checkpointing/checkpointer.ts";
import { createSnapshotter } from "./checkpointing/snapshots.ts";
import { createCommands } from "./commands.ts";
import { createDecisionLog } from "./decisions.ts";
import { createDispatcher } from "./dispatcher.ts";
import { createGallery } from "./gallery.ts";
import { createHold } from "./hold.ts";
import { createMembership } from "./membership/members.ts";
import { checkMemory } from "./memory.ts";
import { createProgress } from "./progress.ts";
import { openVectors } from "./reducers/vectors.ts";
import { createControl } from "./rpc/control.ts";
import { bindServer, serve } from "./rpc/server.ts";
import { createSessions, type Sessions } from "./rpc/session.ts";
import { type RunContext, run, saveCheckpoint } from "./run.ts";
import { openRunFolder } from "./run-folder.ts";
import { openSharedMemory } from "./shared-memory.ts";
import { loadState } from "./state.ts";
import { createStatus } from "./status.ts";
import { summarise } from "./summary.ts";

export interface ServiceOptions {
  readonly job: Job;
  readonly out: string;
  readonly listen: string;
  readonly resume: string;
  /** This process takes the place of one that died in the middle of the run. */
  readonly recovering: boolean;
  readonly clock: Clock;
  readonly bus: Bus;
  /** Called once the inputs are found to be right. */
  readonly openLog: () => Logger;
  readonly requestStop: (reason: string) => boolean;
  /** The parameters are lost with a reducer process: this process must end, and another one go on from a snapshot. */
  readonly onLost: (error: PlumeError) => void;
  /** Who starts and stops worker processes; null when nobody does. */
  readonly supervisor: {
    /** The first step of this process is committed. */
    productive(): void;
    /** Workers leave from now on because the run is over. */
    ending(): void;
    scale(replicas: number): void;
    /** A worker was expelled: if it does not come back, its process must be replaced. */
    lost(worker: string, reason: string): void;
  } | null;
}

export interface RunServices {
  readonly address: string;
  /** Trains to the end; resolves when everything is written and closed. */
  train(stop: AbortSignal): Promise<void>;
}

const JOIN_MS = 300_000;
const PATROL_MS = 100;
/** Snapshots kept: one may be torn by the death of its writer. */
const SNAPSHOTS = 2;
/** Vectors beside params, EMA and moments: one a leaf of the tree at worst, its copies, and as many in flight. */
const spareVectors = (V: number) => 3 * V + 8;

export async function createRunServices(options: ServiceOptions): Promise<RunServices> {
  const { job, clock, bus, supervisor } = options;
  const warnings: string[] = [];
  const { spec } = job;
  const name = job.metadata.name;
  const now = () => clock.now();

  // What is trained, on what, from where.
  const known = options.recovering ? readCard(join(options.out, "dataset.json")) : null;
  const set = known ?? (await describeImageSet(spec.data));
  checkClasses(spec, set);
  const network = buildNetwork(spec, set.channels);
  const layout = buildLayout(network.params);
  const V = spec.training.globalBatch / spec.training.microBatch;
  const { type: optimizer } = spec.training.optimizer;
  const blocks = Math.min(V, Math.max(1, spec.workers.replicas));
  const moments = OPTIMIZERS[optimizer].moments.length;
  checkMemory({ vectorBytes: layout.size * 4, moments, blocks }, process.availableMemory());
  const vectors = await openVectors(
    { layout, optimizer, wire: openWire(spec.training, spec.seed), maxVectors: spareVectors(V) },
    {
      out: options.out,
      host: splitAddress(options.listen).host,
      count: spec.coordinator.shards,
      onLost: options.onLost,
    },
  );
  const { reducer } = vectors;
  const store = openStore(spec.checkpoint.store ?? `file://${resolve(options.out, "checkpoints")}`);
  const snapshotFolder = join(options.out, "snapshots");
  const snapshots = fileStore(snapshotFolder, { flush: false });
  const loaded = await loadState({
    job,
    store,
    snapshots,
    ledgerSteps: stepsInLedger(join(options.out, "ledger.ndjson")),
    resume: options.resume,
    reducer,
    datasetDigest: set.digest,
    warn: (message) => warnings.push(message),
  });
  const firstStep = loaded.step;
  if (firstStep > spec.training.steps)
    throw new PlumeError(
      "FAILED_PRECONDITION",
      `the checkpoint is at step ${firstStep}, the job ends at ${spec.training.steps}`,
      {
        remedy: "raise training.steps (--steps N), or start over with --resume never",
      },
    );

  const bound = await bindServer(options.listen);

  // What it leaves. Nothing is written before this line: a mistake in the job leaves no trace.
  const lock = acquireRunLock(options.out, { job: name, version: PLUME_VERSION });
  const { incarnation } = lock;
  const folder = openRunFolder(options.out, job, set, firstStep);
  const log = options.openLog();
  await vectors.join(name, incarnation, (index) => folder.file("logs", `reducer-${index}.log`));
  if (set.fallback) warnings.push(set.fallback);
  for (const warning of warnings) log.warn(warning);
  const ledger = openLedger(folder.file("ledger.ndjson"), firstStep);
  if (loaded.from !== "snapshot") rmSync(snapshotFolder, { recursive: true, force: true });
  const decisions = createDecisionLog(log, Date.now);
  const progress = createProgress(spec, firstStep, now);
  bus.subscribe(progress.observe);

  // Where the time goes, and what was asked of the run: kept for the next incarnation, if this one dies.
  const accounts = createAccounts({
    file: folder.file("journal.json"),
    recovering: options.recovering,
    firstStep,
    replayUntil: firstStep + ledger.cut.size,
    steps: spec.training.steps,
    desired: spec.workers.replicas,
    now,
    epochMs: Date.now,
  });
  const hold = createHold(accounts.paused);
  if (options.recovering)
    decisions.note(
      "recover",
      `incarnation ${incarnation}`,
      `from the ${loaded.from} of step ${firstStep}; ${ledger.cut.size} committed steps are computed again`,
    );
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

  // Who computes it.
  const setPhase: RunContext["setPhase"] = (asked, why) => {
    const { phase, reason } = accounts.enter(asked, why);
    const before = progress.view().phase;
    if (!progress.setPhase(phase, reason)) return;
    if (phase !== before) decisions.note("phase", phase, reason);
    bus.publish({ kind: "status", status: status() });
  };
  const blemish = (reason: string) => {
    if (!accounts.blemish(reason)) return;
    log.warn(reason);
    warnings.push(reason);
    bus.publish({ kind: "warning", message: reason });
  };
  const specDigest = createHash("sha256").update(dumpJob(job)).digest("hex");
  const membership = createMembership({
    policy: {
      min: spec.workers.min,
      max: spec.workers.max,
      heartbeatMs: 1000 * spec.workers.heartbeatSeconds,
      deadlineMs: 1000 * spec.workers.deadlineSeconds,
      joinMs: JOIN_MS,
      numerics: spec.workers.numerics,
    },
    version: PLUME_VERSION,
    specDigest,
    layoutDigest: layout.digest,
    dataDigest: set.digest,
    now,
    onChange: ({ id, change, reason }) => {
      decisions.note(change, id, reason);
      bus.publish({ kind: "worker", workerId: id, change, reason });
      if (change === "lost" || change === "expelled") accounts.failed("worker", id, reason);
      if (change === "expelled") supervisor?.lost(id, reason);
      if (membership.classes.length > 1)
        blemish(`workers of ${membership.classes.length} numerics classes took part: ${membership.classes.join(", ")}`);
    },
  });
  const { members, status } = createStatus({
    job: name,
    incarnation,
    spec,
    progress,
    accounts,
    membership,
    leases: () => dispatcher.round?.leases ?? [],
    now,
  });

  const sharedMemory = openSharedMemory(name, spec.workers.transport, (error) =>
    log.warn({ err: error }, "shared memory is full; tensors travel by gRPC"),
  );
  let sessions: Sessions;
  const dispatcher = createDispatcher({
    job: name,
    incarnation,
    version: firstStep,
    membership,
    outbox: () => sessions,
    now,
    decisions,
    setPhase,
    audited: (step, { lo }) =>
      spec.audit.rate > 0 &&
      uniforms({ seed: spec.seed, purpose: PURPOSE.audit, step, index: lo }, 1)[0]! < spec.audit.rate,
    onRedo: accounts.redone,
    onDifference: (reason) => {
      log.warn(reason);
      bus.publish({ kind: "warning", message: reason });
    },
  });
  sessions = createSessions({
    membership,
    dispatcher,
    log,
    shmNonce: sharedMemory.nonce,
    onGone: sharedMemory.forget,
    welcome: () => ({
      job: name,
      incarnation,
      jobYaml: dumpJob(job),
      specDigest,
      paramsVersion: dispatcher.version,
      layoutDigest: layout.digest,
      dataDigest: set.digest,
      shmFolder: sharedMemory.folder,
      heartbeatMs: 1000 * spec.workers.heartbeatSeconds,
      deadlineMs: 1000 * spec.workers.deadlineSeconds,
      reducerPorts: [...vectors.ports],
    }),
  });

  const checkpointer = createCheckpointer({
    job,
    set,
    store,
    keep: spec.checkpoint.keep,
    reducer,
    now,
    newest: firstStep > 0 && loaded.from === "checkpoint" ? firstStep : null,
    onWritten: ({ step, prefix, bytes, seconds }) =>
      bus.publish({ kind: "checkpoint", step, key: prefix, bytes, seconds }),
    onFailed: (step, error) => {
      log.error({ step, err: error }, "checkpoint failed");
      bus.publish({ kind: "checkpoint-failed", step, reason: describeError(error) });
    },
  });
  const snapshotter = createSnapshotter({
    saver: createCheckpointer({
      job,
      set,
      store: snapshots,
      keep: SNAPSHOTS,
      reducer,
      now,
      newest: null,
      onWritten: ({ seconds }) => snapshotter.took(seconds),
      onFailed: (step, error) => log.warn({ step, err: error }, "snapshot failed"),
    }),
    everySeconds: spec.checkpoint.snapshotSeconds,
    now,
  });
  const gallery = createGallery({ spec, set, reducer, dispatcher, sharedMemory, folder, bus });
  const context: RunContext = {
    job,
    datasetSize: set.size,
    reducer,
    dispatcher,
    serve: vectors.serve,
    sharedMemory,
    ledger,
    folder,
    checkpointer,
    snapshot: snapshotter.offer,
    gallery,
    hold,
    bus,
    now,
    setPhase,
    onOtherBits: (step, digest, before) =>
      blemish(`step ${step} was computed again with other bits: gradient ${digest}, before it was ${before}`),
  };

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
    },
    createControl({
      bus,
      status,
      warnings,
      decisions: () => decisions.newest,
      recoveries: () => accounts.recoveries,
      stop: options.requestStop,
      ...createCommands({
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
          return { step, written: checkpointer.newest === step };
        },
      }),
    }),
  );
  lock.announce(server.address);

  return {
    address: server.address,
    async train(stop) {
      let over = true;
      const patrol = setInterval(() => dispatcher.patrol(), PATROL_MS);
      try {
        const outcome = await run(context, firstStep, stop);
        folder.chart(name);
        await snapshotter.settled();
        rmSync(snapshotFolder, { recursive: true, force: true });
        const reason = `${outcome.step} of ${spec.training.steps} steps`;
        const summary = await summarise({
          job,
          set,
          outcome,
          reducer,
          progress,
          accounts,
          classes: membership.classes,
          incarnation,
          members: members(),
          checkpoint: checkpointer.newest,
        });
        folder.write("summary.json", `${JSON.stringify(summary, null, 2)}\n`);
        setPhase(outcome.kind === "complete" ? "Complete" : "Stopped", reason);
        bus.publish({ kind: "end", outcome: outcome.kind, reason });
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        over = error instanceof PlumeError && isFinal(error.code);
        setPhase("Failed", reason);
        bus.publish({ kind: "end", outcome: "failed", reason });
        throw error;
      } finally {
        clearInterval(patrol);
        supervisor?.ending();
        sessions.drain("the run is over");
        ledger.close();
        accounts.close(over);
        await server.close();
        sharedMemory.dispose();
        lock.release();
        await reducer[Symbol.asyncDispose]();
      }
    },
  };
}
