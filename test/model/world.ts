// A world in which the coordinator's real protocol code (dispatcher, membership, sessions) meets simulated workers, a
// network that loses, delays, reorders and repeats, and a clock that only the schedule moves. Everything that can happen
// is an action; after each one the invariants are checked. No timers, no sockets, no randomness of its own.
//
// The workers mirror worker/session.ts; the driver mirrors coordinator/training/run.ts: open, finish, append, advance.

import { type Lease, WorkKind } from "../../proto/gen/plume/v1/training.ts";
import {
  type Action,
  gradient,
  HEARTBEAT_MS,
  type Link,
  nameOf,
  type Outgoing,
  type Parts,
  type Push,
  paramsAfter,
  type Setting,
  type SimulatedWorker,
  Violation,
} from "./actors.ts";
import { type Coordinator, type Disk, drive, type Surroundings, startCoordinator } from "./coordinator.ts";

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
  const { steps, audit, liar } = setting;
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
  const disk: Disk = { ledger: [], snapshot: 0, incarnation: 0 };
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

  const surroundings: Surroundings = {
    setting,
    disk,
    now: () => nowMs,
    must,
    summing: (done) => void sums.push(done),
    isCurrent: (each) => each === coordinator,
  };
  const start = () => {
    const started = startCoordinator(parts, surroundings);
    coordinator = started;
    drive(started, surroundings).catch((error) => {
      started.ended = error;
    });
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
      getPeer: () => "unknown",
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
      lease.paramsVersion === disk.ledger.length,
      `a lease for version ${lease.paramsVersion}, ${disk.ledger.length} steps are committed`,
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
            metricsPort: 0,
            metricsHost: "",
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

  /** coordinator/rpc/push.ts in small. */
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
    start();
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
    else disk.snapshot = disk.ledger.length;
  };

  start();
  await flush();
  return {
    story,
    get committed() {
      return disk.ledger.length;
    },
    get incarnation() {
      return disk.incarnation;
    },
    async act(action) {
      must(alive, "the world goes on");
      story.push(JSON.stringify(action));
      perform(action);
      await flush();
    },
    async settle() {
      for (let round = 0; round < 400 && disk.ledger.length < steps; round++) {
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
        disk.ledger.length === steps,
        `after the faults stopped the run stands still at step ${disk.ledger.length} of ${steps}`,
      );
      must(disk.ledger.at(-1)?.params === paramsAfter(steps), "the run ends with other parameters");
      if (liar >= 0 && audit) {
        const involved = coordinator.membership.members.get(nameOf(liar));
        must((involved?.microBatches ?? 0) === 0, `w${liar} computes wrong numbers and its work counts`);
      }
      alive = false;
    },
  };
}
