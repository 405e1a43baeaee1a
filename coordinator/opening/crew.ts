// Who computes a run: its members, the dispatcher that gives them work, the sessions in which they talk, and how all of
// it looks from outside.

import { createHash } from "node:crypto";
import { dumpJob } from "../../shared/config/load.ts";
import { PURPOSE, uniforms } from "../../shared/rng/stream.ts";
import type { Block } from "../../shared/tensor/tree.ts";
import { PLUME_VERSION } from "../../shared/version.ts";
import { createWish } from "../autoscale/wish.ts";
import { createDispatcher } from "../dispatcher.ts";
import { openSharedMemory } from "../files/shared-memory.ts";
import { createMembership } from "../membership/members.ts";
import { pageOf } from "../onlooker.ts";
import { createProgress } from "../reporting/progress.ts";
import { createStatus } from "../reporting/status.ts";
import { createWireMeter, type WireMeter } from "../reporting/wire-meter.ts";
import type { PullSource } from "../rpc/pull.ts";
import type { PushTarget } from "../rpc/push.ts";
import { createSessions, type Sessions } from "../rpc/session.ts";
import type { RunContext } from "../training/run.ts";
import type { CoordinatorOptions } from "./options.ts";
import type { Traces } from "./traces.ts";
import type { Training } from "./training.ts";

/** Opening data, starting a device and computing the canary. */
const JOIN_MS = 300_000;

export function openCrew(options: CoordinatorOptions, training: Training, traces: Traces) {
  const { job, clock, bus, supervisor } = options;
  const { set, layout, vectors, firstStep, warnings } = training;
  const { incarnation, log, decisions, accounts } = traces;
  const { spec } = job;
  const { name } = job.metadata;
  const now = () => clock.now();
  const heartbeatMs = 1000 * spec.workers.heartbeatSeconds;
  const deadlineMs = 1000 * spec.workers.deadlineSeconds;
  const specDigest = createHash("sha256").update(dumpJob(job)).digest("hex");

  const warn = (message: string) => {
    log.warn(message);
    bus.publish({ kind: "warning", message });
  };
  /** The run's bits may differ from another's from now on. */
  const blemish = (reason: string) => {
    if (!accounts.blemish(reason)) return;
    warnings.push(reason);
    warn(reason);
  };

  const progress = createProgress(spec, firstStep, now);
  bus.subscribe(progress.observe);
  const wishing = createWish({
    spec,
    desired: accounts.desired,
    epochMs: Date.now,
    onChange: ({ workers, reason }) => decisions.note("wish", `${workers} workers`, reason),
  });
  bus.subscribe(wishing.observe);
  const setPhase: RunContext["setPhase"] = (asked, why) => {
    const { phase, reason } = accounts.enter(asked, why);
    const before = progress.view().phase;
    if (!progress.setPhase(phase, reason)) return;
    if (phase !== before) {
      decisions.note("phase", phase, reason);
      bus.publish({ kind: "phase", phase, reason, step: progress.view().step });
    }
    bus.publish({ kind: "status", status: status() });
  };

  const membership = createMembership({
    policy: {
      min: spec.workers.min,
      max: spec.workers.max,
      heartbeatMs,
      deadlineMs,
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

  const wire = createWireMeter();
  const vectorBytes = layout.size * Float32Array.BYTES_PER_ELEMENT;
  let gradients = 0;
  const sharedMemory = openSharedMemory(name, spec.workers.transport, {
    onFull: (error) => log.warn({ err: error }, "shared memory is full; tensors travel by gRPC"),
    onPublished: (payload) => wire.count({ direction: "out", payload, transport: "shm" }, vectorBytes),
  });
  const meters: Meters = {
    flows: () => wire.flows,
    gradientRawBytes: () => gradients * vectorBytes,
    onSent: (payload, bytes) => wire.count({ direction: "out", payload, transport: "grpc" }, bytes),
    onReceived(payload, transport, bytes) {
      wire.count({ direction: "in", payload, transport }, bytes);
      if (payload === "gradient") gradients++;
    },
  };
  /** A share of all blocks, drawn from the job's seed. */
  const audited = (step: number, { lo }: Block) =>
    spec.audit.rate > 0 &&
    uniforms({ seed: spec.seed, purpose: PURPOSE.audit, step, index: lo }, 1)[0]! < spec.audit.rate;
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
    audited,
    onRedo: accounts.redone,
    onDifference: warn,
  });
  sessions = createSessions({
    membership,
    dispatcher,
    log,
    shmNonce: sharedMemory.nonce,
    metricsHost: options.metricsHost ?? spec.monitoring.host,
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
      heartbeatMs,
      deadlineMs,
      reducerPorts: [...vectors.ports],
    }),
  });
  const { members, status } = createStatus({
    job: name,
    incarnation,
    spec,
    progress,
    accounts,
    membership,
    leases: () => dispatcher.round?.leases ?? [],
    wish: wishing.wish,
    page: () => pageOf(options.onlookers)?.url,
    now,
  });
  return { membership, dispatcher, sessions, sharedMemory, meters, progress, members, status, setPhase, blemish };
}

/** What passes between a coordinator and its workers, counted. */
interface Meters extends Required<Pick<PullSource, "onSent"> & Pick<PushTarget, "onReceived">> {
  readonly flows: () => WireMeter["flows"];
  readonly gradientRawBytes: () => number;
}
