// A world in which the coordinator's real protocol code (dispatcher, membership, sessions) meets simulated workers, a
// network that loses, delays, reorders and repeats, and a clock that only the schedule moves. Everything that can happen
// is an action; after each one the invariants are checked. No timers, no sockets, no randomness of its own.
//
// The workers mirror worker/session.ts; the driver mirrors coordinator/run.ts: open, finish, append, advance.

import type * as DispatcherModule from "../../coordinator/dispatcher.ts";
import type * as MembersModule from "../../coordinator/membership/members.ts";
import type * as SessionModule from "../../coordinator/rpc/session.ts";
import {
  type Lease,
  type SessionRequest,
  type SessionResponse,
  type Tuple,
  WorkKind,
} from "../../proto/gen/plume/v1/training.ts";
import { workerId } from "../../shared/ids.ts";
import type { Block } from "../../shared/tensor/tree.ts";

export interface Parts {
  readonly createDispatcher: typeof DispatcherModule.createDispatcher;
  readonly createMembership: typeof MembersModule.createMembership;
  readonly createSessions: typeof SessionModule.createSessions;
}

export interface Setting {
  readonly V: number;
  readonly steps: number;
  readonly workers: number;
  readonly min: number;
  /** Every block is computed by two workers. */
  readonly audit: boolean;
  /** Index of a worker that computes wrong numbers, or -1. */
  readonly liar: number;
}

export type Action =
  | {
      readonly kind: "connect" | "pump" | "up" | "down" | "compute" | "cut" | "vanish" | "die" | "leave";
      readonly worker: number;
    }
  | { readonly kind: "claim" | "deliver" | "repeat" | "drop"; readonly push: number }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "snapshot" | "crash" | "sum" };

/** An invariant does not hold. */
class Violation extends Error {}

type Incoming = NonNullable<SessionRequest["message"]>;
type Outgoing = NonNullable<SessionResponse["message"]>;

/** One connection: what is on its way, and the coordinator's end of it. */
interface Link {
  readonly id: number;
  readonly worker: number;
  readonly up: Incoming[];
  readonly down: (Outgoing | "end")[];
  /** The worker's end is gone; the coordinator may not know. */
  closed: boolean;
  readonly listeners: Map<string, (value?: unknown) => void>;
}

interface Work {
  readonly lease: Lease;
  done: number;
}

interface SimulatedWorker {
  readonly index: number;
  instance: number;
  link: Link | null;
  queue: Work[];
  leaving: boolean;
  banned: boolean;
}

interface Push {
  readonly worker: number;
  readonly link: number;
  readonly tuple: Tuple;
  readonly block: Block;
  readonly digest: string;
  claim: ReturnType<ReturnType<Parts["createDispatcher"]>["claim"]> | null;
  coordinator: number;
}

/** The parameters after n steps: what every correct run arrives at. */
const paramsAfter = (n: number): string => (n === 0 ? "p" : `(${paramsAfter(n - 1)}+g${n - 1})`);
const gradient = (step: number, { lo, hi }: Block, version: number) => `${step}:${lo}-${hi}@${version}`;

const HEARTBEAT_MS = 100;
const FLUSHES = 12;

export interface World {
  act(action: Action): Promise<void>;
  /** No more faults: everybody is fair. @throws Violation when the run does not come to its end. */
  settle(): Promise<void>;
  readonly committed: number;
  readonly incarnation: number;
  /** Steps of its life in words, for a counterexample. */
  readonly story: readonly string[];
}

export async function createWorld(parts: Parts, setting: Setting): Promise<World> {
  const { V, steps, min, audit, liar } = setting;
  const story: string[] = [];
  let nowMs = 0;
  let links = 0;
  let alive = true;
  let violation: Violation | null = null;
  /** Remembered, because the code under test may catch what is thrown inside it. */
  const must = (condition: boolean, message: string) => {
    if (condition) return;
    violation ??= new Violation(message);
    throw violation;
  };
  /** What is on disk: it outlives a crash. */
  let ledger: { step: number; params: string }[] = [];
  let snapshot = 0;
  let incarnation = 0;
  let coordinator: Coordinator;
  let pushes: Push[] = [];
  /** Accepted payloads that are being summed. */
  let sums: (() => void)[] = [];
  const workers: SimulatedWorker[] = Array.from({ length: setting.workers }, (_, index) => ({
    index,
    instance: 0,
    link: null,
    queue: [],
    leaving: false,
    banned: false,
  }));

  interface Coordinator {
    readonly incarnation: number;
    readonly dispatcher: ReturnType<Parts["createDispatcher"]>;
    readonly membership: ReturnType<Parts["createMembership"]>;
    readonly sessions: ReturnType<Parts["createSessions"]>;
    readonly stop: AbortController;
    /** Link over which each lease went out. */
    readonly issued: Map<string, number>;
    ended: unknown;
  }

  const nameOf = (worker: number) => workerId(`w${worker}`);

  const startCoordinator = () => {
    incarnation++;
    const mine = incarnation;
    const issued = new Map<string, number>();
    let sessions: Coordinator["sessions"];
    const membership = parts.createMembership({
      policy: {
        min,
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
      now: () => nowMs,
      onChange: () => {},
    });
    const dispatcher = parts.createDispatcher({
      job: "job",
      incarnation: mine,
      version: snapshot,
      membership,
      outbox: () => sessions,
      now: () => nowMs,
      decisions: { note: () => {}, newest: [] },
      setPhase: () => {},
      audited: () => audit,
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
      welcome: () => ({
        job: "job",
        incarnation: mine,
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
    const started: Coordinator = {
      incarnation: mine,
      dispatcher,
      membership,
      sessions,
      stop: new AbortController(),
      issued,
      ended: null,
    };
    coordinator = started;
    ledger = ledger.filter(({ step }) => step < snapshot);
    drive(started).catch((error) => {
      started.ended = error;
    });
  };

  /** coordinator/run.ts in small. */
  const drive = async (mine: Coordinator) => {
    for (let step = snapshot; step < steps; step++) {
      const params = paramsAfter(step);
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
                sums.push(() => {
                  collected.push(`${block.lo}-${block.hi}`);
                  resolve();
                }),
              ),
            discard: () => {},
          }),
          dispose: () => {},
        };
      };
      mine.dispatcher.open({ kind: "gradient", step, V, vectorDigest: "", collect });
      const results = await mine.dispatcher.finish(mine.stop.signal);
      if (!results || mine !== coordinator) return;
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
      must(!ledger.some((line) => line.step === step), `step ${step} is committed twice`);
      must(ledger.length === step, `step ${step} is committed after ${ledger.length} others`);
      ledger.push({ step, params: `(${params}+g${step})` });
      mine.dispatcher.advance(step + 1);
    }
  };

  const flush = async () => {
    for (let i = 0; i < FLUSHES; i++) await null;
    if (violation) throw violation;
    if (coordinator.ended) throw coordinator.ended;
  };

  const connect = (worker: SimulatedWorker) => {
    if (worker.link || worker.banned) return;
    const link: Link = { id: ++links, worker: worker.index, up: [], down: [], closed: false, listeners: new Map() };
    worker.link = link;
    worker.queue = [];
    worker.leaving = false;
    const stream = {
      on: (event: string, listener: (value?: unknown) => void) => void link.listeners.set(event, listener),
      write: ({ message }: { message: Outgoing }) => {
        if (message.$case === "lease") issue(link, message.value);
        link.down.push(message);
        return true;
      },
      end: () => void link.down.push("end"),
    };
    coordinator.sessions.handle(stream as unknown as Parameters<Coordinator["sessions"]["handle"]>[0]);
    const hello = {
      workerId: nameOf(worker.index),
      host: "h",
      pid: 1,
      plumeVersion: "1",
      instance: `${worker.index}.${worker.instance}`,
    };
    link.up.push({ $case: "hello", value: hello });
  };

  /** A lease leaves the coordinator: it must go to a live, ready member over that member's own session. */
  const issue = (link: Link, lease: Lease) => {
    const member = coordinator.membership.members.get(nameOf(link.worker));
    must(member?.phase === "ready", `a lease to w${link.worker}, which is ${member?.phase ?? "no member"}`);
    must(member?.suspect == null, `a lease to w${link.worker}, which is suspect`);
    must(
      lease.paramsVersion === ledger.length,
      `a lease for version ${lease.paramsVersion}, ${ledger.length} steps are committed`,
    );
    coordinator.issued.set(`${lease.tuple!.step}/${lease.tuple!.attempt}`, link.id);
  };

  /** The coordinator's end of a session learns that it is over. */
  const breakLink = (link: Link, tellCoordinator: boolean) => {
    const worker = workers[link.worker]!;
    if (worker.link === link) {
      worker.link = null;
      worker.queue = [];
    }
    link.closed = true;
    link.up.length = 0;
    if (tellCoordinator) link.listeners.get("cancelled")?.();
  };

  const receiveDown = (worker: SimulatedWorker, message: Outgoing | "end") => {
    if (message === "end" || message.$case === "drain") {
      breakLink(worker.link!, true);
      return;
    }
    switch (message.$case) {
      case "welcome":
        worker.link!.up.push({
          $case: "ready",
          value: {
            backend: "b",
            device: "d",
            numericsClass: "n",
            shmNonce: "",
            dataDigest: "d",
            layoutDigest: "l",
            specDigest: "s",
          },
        });
        return;
      case "lease":
        worker.queue.push({ lease: message.value, done: 0 });
        return;
      case "revoke": {
        const { tuple } = message.value;
        worker.queue = worker.queue.filter(({ lease }) => lease.tuple!.attempt !== tuple!.attempt);
        const { lo, hi } = message.value;
        const kind = WorkKind.WORK_KIND_GRADIENT;
        worker.link!.up.push({ $case: "progress", value: { tuple, lo, hi, done: 0, seconds: 0, kind } });
        if (worker.leaving && worker.queue.length === 0) breakLink(worker.link!, true);
        return;
      }
      case "refusal":
        if (!message.value.retry) worker.banned = true;
        breakLink(worker.link!, true);
    }
  };

  const compute = (worker: SimulatedWorker) => {
    const [work] = worker.queue;
    if (!work || !worker.link) return;
    const { tuple, lo, hi, paramsVersion } = work.lease;
    work.done++;
    worker.link.up.push({
      $case: "progress",
      value: { tuple, lo, hi, done: work.done, seconds: 0.01, kind: WorkKind.WORK_KIND_GRADIENT },
    });
    if (work.done < hi - lo) return;
    worker.queue.shift();
    const right = gradient(tuple!.step, { lo, hi }, paramsVersion);
    const digest = worker.index === liar ? `wrong ${right}` : right;
    pushes.push({
      worker: worker.index,
      link: worker.link.id,
      tuple: tuple!,
      block: { lo, hi },
      digest,
      claim: null,
      coordinator: 0,
    });
    if (worker.leaving && worker.queue.length === 0) breakLink(worker.link, true);
  };

  const claim = (push: Push) => {
    push.coordinator = coordinator.incarnation;
    const address = { tuple: push.tuple, kind: "gradient" as const, block: push.block };
    push.claim = coordinator.dispatcher.claim(nameOf(push.worker), address, push.digest);
  };

  /** coordinator/rpc/tensors.ts in small. */
  const deliver = (push: Push) => {
    // A crash in the middle of the payload loses it; one before its first byte hands it to the next incarnation.
    if (push.claim && push.coordinator !== coordinator.incarnation) return;
    if (!push.claim) claim(push);
    if (push.claim?.kind !== "take") return;
    const { lease } = push.claim;
    if (!coordinator.dispatcher.round) return; // the shell opens a sink only while a round is open
    const sink = coordinator.dispatcher.receive(lease);
    const result = {
      block: push.block,
      worker: nameOf(push.worker),
      attempt: push.tuple.attempt,
      digest: push.digest,
      losses: [],
      ids: [],
      seconds: {},
    };
    const verdict = coordinator.dispatcher.handIn(lease, result, sink);
    if (verdict.kind !== "accept" && verdict.kind !== "hold") return;
    must(lease.attempt === push.tuple.attempt, "a result counts under the lease of another attempt");
    must(push.tuple.incarnation === coordinator.incarnation, "a result of an earlier incarnation counts");
    const issuedOver = coordinator.issued.get(`${push.tuple.step}/${push.tuple.attempt}`);
    must(issuedOver === push.link, `a result of w${push.worker} counts that was leased in another session`);
  };

  const wait = (ms: number) => {
    // Heartbeats ride on the sessions; whether they arrive is the schedule's affair.
    for (let passed = 0; passed < ms; passed += HEARTBEAT_MS) {
      nowMs += Math.min(HEARTBEAT_MS, ms - passed);
      for (const { link } of workers) if (link && !link.closed) link.up.push({ $case: "heartbeat", value: {} });
    }
    coordinator.dispatcher.patrol();
  };

  const up = (worker: SimulatedWorker) => {
    const message = worker.link?.up.shift();
    if (message) worker.link!.listeners.get("data")?.({ message });
  };

  const down = (worker: SimulatedWorker) => {
    const message = worker.link?.down.shift();
    if (message) receiveDown(worker, message);
  };

  /** All that is on its way to and from this worker arrives, and it computes one leaf. */
  const pump = (worker: SimulatedWorker) => {
    connect(worker);
    for (let i = 0; i < 4; i++) {
      while (worker.link && worker.link.up.length > 0) up(worker);
      while (worker.link && worker.link.down.length > 0) down(worker);
    }
    compute(worker);
  };

  const crash = () => {
    const dead = coordinator;
    sums = [];
    for (const worker of workers) if (worker.link) breakLink(worker.link, false);
    startCoordinator();
    dead.stop.abort();
  };

  const pick = <T>(list: readonly T[], index: number): T | undefined => list[index % Math.max(1, list.length)];
  const remove = (push: Push) => {
    pushes = pushes.filter((each) => each !== push);
  };

  const ofWorker: Record<Extract<Action, { worker: number }>["kind"], (worker: SimulatedWorker) => void> = {
    connect,
    pump,
    up,
    down,
    compute,
    cut: (worker) => worker.link && breakLink(worker.link, true),
    // Half-open: the coordinator hears nothing of it.
    vanish: (worker) => worker.link && breakLink(worker.link, false),
    die(worker) {
      worker.instance++;
      if (worker.link) breakLink(worker.link, true);
    },
    leave(worker) {
      if (!worker.link || worker.leaving) return;
      worker.leaving = true;
      worker.link.up.push({ $case: "leave", value: { reason: "asked" } });
      if (worker.queue.length === 0) breakLink(worker.link, true);
    },
  };

  const perform = (action: Action): void => {
    if ("worker" in action) ofWorker[action.kind](pick(workers, action.worker)!);
    else if ("push" in action) {
      const push = pick(pushes, action.push);
      if (!push) return;
      if (action.kind !== "repeat" && action.kind !== "claim") remove(push);
      if (action.kind === "claim") claim(push);
      else if (action.kind !== "drop") deliver(push);
    } else if (action.kind === "wait") wait(action.ms);
    else if (action.kind === "crash") crash();
    else if (action.kind === "sum") sums.shift()?.();
    else snapshot = ledger.length;
  };

  startCoordinator();
  await flush();
  return {
    story,
    get committed() {
      return ledger.length;
    },
    get incarnation() {
      return incarnation;
    },
    async act(action) {
      must(alive, "the world goes on");
      story.push(JSON.stringify(action));
      perform(action);
      await flush();
    },
    async settle() {
      for (let round = 0; round < 400 && ledger.length < steps; round++) {
        for (const worker of workers) pump(worker);
        for (const push of [...pushes]) {
          remove(push);
          deliver(push);
        }
        for (const sum of sums.splice(0)) sum();
        wait(HEARTBEAT_MS);
        await flush();
      }
      must(
        ledger.length === steps,
        `after the faults stopped the run stands still at step ${ledger.length} of ${steps}`,
      );
      must(ledger.at(-1)?.params === paramsAfter(steps), "the run ends with other parameters");
      if (liar >= 0 && audit) {
        const involved = coordinator.membership.members.get(nameOf(liar));
        must((involved?.microBatches ?? 0) === 0, `w${liar} computes wrong numbers and its work counts`);
      }
      alive = false;
    },
  };
}
