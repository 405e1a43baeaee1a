// The coordinator of world.ts: the real dispatcher, membership and sessions, with coordinator/training/run.ts in small around them.

import type { Block } from "../../shared/tensor/tree.ts";
import { gradient, HEARTBEAT_MS, type Parts, paramsAfter, type Setting } from "./actors.ts";

export interface Coordinator {
  readonly incarnation: number;
  readonly dispatcher: ReturnType<Parts["createDispatcher"]>;
  readonly membership: ReturnType<Parts["createMembership"]>;
  readonly sessions: ReturnType<Parts["createSessions"]>;
  readonly stop: AbortController;
  /** Link over which each lease went out. */
  readonly issued: Map<string, number>;
  ended: unknown;
}

/** What outlives a crash. */
export interface Disk {
  ledger: { step: number; params: string }[];
  snapshot: number;
  incarnation: number;
}

/** What the coordinator knows of the world around it. */
export interface Surroundings {
  readonly setting: Setting;
  readonly disk: Disk;
  readonly now: () => number;
  readonly must: (condition: boolean, message: string) => void;
  /** Accepted payloads that are being summed, each done when it is called. */
  readonly summing: (done: () => void) => void;
  readonly isCurrent: (coordinator: Coordinator) => boolean;
}

/** A new incarnation, which goes on from the snapshot. */
export function startCoordinator(parts: Parts, surroundings: Surroundings): Coordinator {
  const { setting, disk, now } = surroundings;
  const incarnation = ++disk.incarnation;
  let sessions: Coordinator["sessions"];
  const membership = parts.createMembership({
    policy: {
      min: setting.min,
      max: 16,
      heartbeatMs: HEARTBEAT_MS,
      deadlineMs: 10 * HEARTBEAT_MS,
      joinMs: 3000,
      numerics: "strict",
    },
    version: "1",
    specDigest: "s",
    layoutDigest: "l",
    dataDigest: "d",
    now,
    onChange: () => {},
  });
  const dispatcher = parts.createDispatcher({
    job: "job",
    incarnation,
    version: disk.snapshot,
    membership,
    outbox: () => sessions,
    now,
    decisions: { note: () => {}, newest: [] },
    setPhase: () => {},
    audited: () => setting.audit,
    onRedo: () => {},
    onDifference: () => {},
  });
  const quiet = { info() {}, warn() {}, error() {} } as unknown as Parameters<Parts["createSessions"]>[0]["log"];
  sessions = parts.createSessions({
    onGone: () => {},
    membership,
    dispatcher,
    log: quiet,
    shmNonce: "",
    metricsHost: "127.0.0.1",
    welcome: () => ({
      job: "job",
      incarnation,
      jobYaml: "",
      reducerPorts: [],
      specDigest: "s",
      paramsVersion: dispatcher.version,
      layoutDigest: "l",
      dataDigest: "d",
      shmFolder: "",
      heartbeatMs: HEARTBEAT_MS,
      deadlineMs: 10 * HEARTBEAT_MS,
    }),
  });
  disk.ledger = disk.ledger.filter(({ step }) => step < disk.snapshot);
  const stop = new AbortController();
  return { incarnation, dispatcher, membership, sessions, stop, issued: new Map(), ended: null };
}

/** coordinator/training/run.ts in small: trains until the last step, or until another incarnation is there. */
export async function drive(
  mine: Coordinator,
  { setting, disk, must, summing, isCurrent }: Surroundings,
): Promise<void> {
  const { V, steps } = setting;
  for (let step = disk.snapshot; step < steps; step++) {
    const collected: string[] = [];
    const collect = () => {
      collected.length = 0;
      return {
        open: (block: Block) => ({
          bytes: 0,
          fill: async () => 0,
          arrived: async () => "",
          collect: () =>
            new Promise<void>((resolve) =>
              summing(() => {
                collected.push(`${block.lo}-${block.hi}`);
                resolve();
              }),
            ),
          discard: () => {},
        }),
        dispose: () => {},
      };
    };
    mine.dispatcher.open({ kind: "gradient", step, V, vectorDigest: "", traceParent: "", collect });
    const results = await mine.dispatcher.finish(mine.stop.signal);
    if (!results || !isCurrent(mine)) return;
    // The step is about to become a fact.
    let next = 0;
    for (const { block, digest } of results) {
      must(block.lo === next, `step ${step} commits with leaf ${next} missing or twice`);
      must(
        digest === gradient(step, block, step),
        `step ${step} commits ${digest}, a gradient of other parameters or work`,
      );
      must(collected.includes(`${block.lo}-${block.hi}`), `step ${step} commits before block ${block.lo} is summed`);
      next = block.hi;
    }
    must(next === V, `step ${step} commits without leaf ${next}`);
    must(!disk.ledger.some((line) => line.step === step), `step ${step} is committed twice`);
    must(disk.ledger.length === step, `step ${step} is committed after ${disk.ledger.length} others`);
    disk.ledger.push({ step, params: `(${paramsAfter(step)}+g${step})` });
    mine.dispatcher.advance(step + 1);
  }
}
