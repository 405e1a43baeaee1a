// Wires a run: data, reducer, state, membership, server, files. main.ts gives it adapters; run.ts gets the result.

import { resolve } from "node:path";
import type { Bus } from "../shared/bus/bus.ts";
import type { MemberView, Phase, RunStatus } from "../shared/bus/events.ts";
import type { Clock } from "../shared/clock.ts";
import { dumpJob } from "../shared/config/load.ts";
import type { Job } from "../shared/config/schema.ts";
import { checkClasses, openImageSet } from "../shared/data/open.ts";
import { PlumeError } from "../shared/errors.ts";
import { openReducer } from "../shared/kernels/threads.ts";
import { openLedger } from "../shared/ledger/ledger.ts";
import type { Logger } from "../shared/log.ts";
import { buildNetwork } from "../shared/pipeline/network.ts";
import { openStore } from "../shared/store/open.ts";
import { buildLayout } from "../shared/tensor/layout.ts";
import { createCheckpointer } from "./checkpointing/checkpointer.ts";
import { createDispatcher } from "./dispatcher.ts";
import { createGallery } from "./gallery.ts";
import { createMembership } from "./membership/members.ts";
import { createProgress } from "./progress.ts";
import { createControl } from "./rpc/control.ts";
import { bindServer, serve } from "./rpc/server.ts";
import { createSessions, type Sessions } from "./rpc/session.ts";
import { run } from "./run.ts";
import { openRunFolder } from "./run-folder.ts";
import { openSharedMemory } from "./shared-memory.ts";
import { loadState } from "./state.ts";
import { summarise } from "./summary.ts";

export interface ServiceOptions {
  readonly job: Job;
  readonly out: string;
  readonly listen: string;
  readonly resume: string;
  readonly incarnation: number;
  readonly clock: Clock;
  readonly bus: Bus;
  /** Called once the inputs are found to be right. */
  readonly openLog: () => Logger;
  readonly requestStop: (reason: string) => boolean;
}

export interface RunServices {
  readonly address: string;
  /** Trains to the end; resolves when everything is written and closed. */
  train(stop: AbortSignal): Promise<void>;
}

const HEARTBEAT_MS = 2_000;
const MISSED_HEARTBEATS = 5;
/** Vectors beside params, EMA and moments: one a leaf of the tree at worst, and as many in flight. */
const spareVectors = (V: number) => 2 * V + 8;

export async function createRunServices(options: ServiceOptions): Promise<RunServices> {
  const { job, clock, bus } = options;
  const warnings: string[] = [];
  const { spec } = job;
  const name = job.metadata.name;
  const now = () => clock.now();

  // What is trained, on what, from where.
  const set = await openImageSet(spec.data);
  checkClasses(spec, set);
  const network = buildNetwork(spec, set.channels);
  const layout = buildLayout(network.params);
  const V = spec.training.globalBatch / spec.training.microBatch;
  const reducer = await openReducer({ layout, optimizer: spec.training.optimizer.type, maxVectors: spareVectors(V) });
  const store = openStore(spec.checkpoint.store ?? `file://${resolve(options.out, "checkpoints")}`);
  const firstStep = await loadState(job, store, options.resume, reducer, set.digest, (message) =>
    warnings.push(message),
  );
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
  const folder = openRunFolder(options.out, job, set, firstStep);
  const log = options.openLog();
  if (set.fallback) warnings.push(set.fallback);
  for (const warning of warnings) log.warn(warning);
  const ledger = openLedger(folder.file("ledger.ndjson"), firstStep);
  const progress = createProgress(spec, firstStep, now);
  bus.subscribe(progress.observe);
  bus.subscribe((event) => {
    if (event.kind === "step") bus.publish({ kind: "status", status: status() });
  });

  // Who computes it.
  const setPhase = (phase: Phase, reason: string) => {
    if (!progress.setPhase(phase, reason)) return;
    log.info({ phase, reason }, "phase");
    bus.publish({ kind: "status", status: status() });
  };
  const membership = createMembership({
    policy: {
      min: spec.workers.min,
      max: spec.workers.max,
      heartbeatMs: HEARTBEAT_MS,
      missedHeartbeats: MISSED_HEARTBEATS,
      numerics: spec.workers.numerics,
    },
    layoutDigest: layout.digest,
    dataDigest: set.digest,
    now,
    onChange: ({ id, change, reason }) => {
      log.info({ worker: id, change, reason }, "membership");
      bus.publish({ kind: "worker", workerId: id, change, reason });
    },
  });
  const members = (): MemberView[] =>
    [...membership.members.values()].map(({ id, phase, device, transport, speed }) => ({
      workerId: id,
      phase,
      device,
      transport,
      imagesPerSecond: (speed ?? 0) * spec.training.microBatch,
    }));
  const status = (): RunStatus => ({
    job: name,
    ...progress.view(),
    workers: membership.members.size,
    members: members(),
  });

  const sharedMemory = openSharedMemory(name, spec.workers.transport);
  let sessions: Sessions;
  const dispatcher = createDispatcher({
    job: name,
    incarnation: options.incarnation,
    version: firstStep,
    membership,
    sessions: () => sessions,
    now,
    log,
    setPhase,
  });
  sessions = createSessions({
    membership,
    log,
    shmNonce: sharedMemory.nonce,
    welcome: () => ({
      job: name,
      incarnation: options.incarnation,
      jobYaml: dumpJob(job),
      paramsVersion: dispatcher.version,
      layoutDigest: layout.digest,
      dataDigest: set.digest,
      shmFolder: sharedMemory.folder,
      heartbeatMs: HEARTBEAT_MS,
    }),
    onProgress: dispatcher.progress,
    onChange: dispatcher.replan,
    onGone: dispatcher.gone,
    onDataFault: dispatcher.fail,
  });
  const server = serve(
    bound,
    sessions,
    {
      job: name,
      incarnation: options.incarnation,
      version: () => dispatcher.version,
      round: () => dispatcher.round,
      reducer,
      shmFolder: sharedMemory.folder,
      onResult: dispatcher.result,
    },
    createControl({ bus, status, warnings, stop: options.requestStop }),
  );

  const newest = firstStep > 0 ? firstStep : null;
  const checkpointer = createCheckpointer({ job, set, store, reducer, bus, log, now, newest });
  const gallery = createGallery({ spec, set, reducer, dispatcher, sharedMemory, folder, bus });

  return {
    address: server.address,
    async train(stop) {
      const started = now();
      const patrol = setInterval(() => dispatcher.patrol(), HEARTBEAT_MS);
      try {
        const context = {
          job,
          datasetSize: set.size,
          reducer,
          dispatcher,
          sharedMemory,
          ledger,
          folder,
          checkpointer,
          gallery,
          bus,
          now,
          setPhase,
        };
        const outcome = await run(context, firstStep, stop);
        folder.chart(name);
        const wallSeconds = (now() - started) / 1000;
        const summary = summarise({
          job,
          set,
          outcome,
          firstStep,
          reducer,
          progress,
          wallSeconds,
          members: members(),
          checkpoint: checkpointer.newest,
        });
        folder.write("summary.json", `${JSON.stringify(summary, null, 2)}\n`);
        setPhase(
          outcome.kind === "complete" ? "Complete" : "Stopped",
          `${outcome.step} of ${spec.training.steps} steps`,
        );
        bus.publish({ kind: "end", outcome: outcome.kind, reason: `${outcome.step} of ${spec.training.steps} steps` });
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        setPhase("Failed", reason);
        bus.publish({ kind: "end", outcome: "failed", reason });
        throw error;
      } finally {
        clearInterval(patrol);
        sessions.drain("the run is over");
        ledger.close();
        await server.close();
        sharedMemory.dispose();
        await reducer[Symbol.asyncDispose]();
        await set.close();
      }
    },
  };
}
