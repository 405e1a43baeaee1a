// npm run sim: the coordinator's own decision code with up to 1,000 simulated workers under churn, in virtual time.
// What does a decision cost as the run grows, does anyone starve, how much does churn cost? Nothing here sleeps; only
// the cost of decisions is real time.

import { parseArgs } from "node:util";
import type { Collector } from "../../coordinator/aggregation/sink.ts";
import { createDispatcher } from "../../coordinator/dispatcher.ts";
import { createMembership } from "../../coordinator/membership/members.ts";
import type { Lease } from "../../proto/gen/plume/v1/training.ts";
import { type WorkerId, workerId } from "../../shared/ids.ts";
import { PURPOSE, uniforms } from "../../shared/rng/stream.ts";
import { machineLine, spread, summarise } from "./measure.ts";

const { values } = parseArgs({
  options: {
    sizes: { type: "string", default: "10,100,1000" },
    steps: { type: "string", default: "60" },
    json: { type: "boolean", default: false },
  },
});

/** Seconds: a micro-batch, the life of a worker, its way back; and the share of leaves that take ten times as long. */
const LEAF = 1;
const LIFE = 120;
const AWAY = 8;
const STRAGGLER = 0.01;
const PATROL = 0.1;
const HEARTBEAT = 0.5;

interface Row {
  readonly workers: number;
  readonly V: number;
  readonly steps: number;
  readonly deaths: number;
  readonly copies: number;
  /** One look at everyone: replan or patrol. */
  readonly decisionsPerStep: number;
  readonly nanosPerWorkerAndDecision: ReturnType<typeof summarise>;
  /** Longest run of steps in which a worker that was ready at their start got nothing to do. */
  readonly starved: number;
  /** Virtual seconds of a step over those of a leaf: 1 is perfect. */
  readonly stretch: ReturnType<typeof summarise>;
}

async function simulate(n: number, steps: number): Promise<Row> {
  const V = n; // one micro-batch a worker: the hardest case for balance
  let nowS = 0;
  let spentMs = 0;
  let draws = 0;
  const random = () => uniforms({ seed: n, purpose: PURPOSE.punish, step: 1, index: draws++ }, 1)[0]!;
  const events = createQueue<() => void>();
  const at = (delay: number, act: () => void) => events.push(nowS + delay, act);
  let decisions = 0;
  const timed = <T>(decide: () => T): T => {
    const started = performance.now();
    const result = decide();
    spentMs += performance.now() - started;
    return result;
  };
  /** All members and blocks are looked at. */
  const decide = (act: () => void) => {
    decisions++;
    timed(act);
  };

  const alive = new Map<WorkerId, { queue: Lease[]; busy: boolean; life: number }>();
  let deaths = 0;
  let copies = 0;
  const membership = createMembership({
    policy: {
      min: 1,
      max: 2 * n,
      heartbeatMs: 1000 * HEARTBEAT,
      deadlineMs: 30_000,
      joinMs: 60_000,
      numerics: "strict",
    },
    version: "1",
    specDigest: "s",
    layoutDigest: "l",
    dataDigest: "d",
    now: () => 1000 * nowS,
    onChange: () => {},
  });
  const served = new Set<WorkerId>();
  const dispatcher = createDispatcher({
    job: "sim",
    incarnation: 1,
    version: 0,
    membership,
    outbox: () => ({
      lease(id, lease) {
        served.add(id);
        alive.get(id)?.queue.push(lease);
        at(0.001, () => work(id));
      },
      revoke(id, tuple) {
        const worker = alive.get(id);
        if (worker) worker.queue = worker.queue.filter((lease) => lease.tuple!.attempt !== tuple.attempt);
        at(0.001, () =>
          timed(() => dispatcher.progress(id, { tuple, kind: "gradient", block: { lo: 0, hi: 1 } }, 0, 0)),
        );
      },
      expel(id) {
        lose(id);
      },
    }),
    now: () => 1000 * nowS,
    decisions: { note: (decision) => void (decision === "speculation" && copies++), newest: [] },
    setPhase: () => {},
    audited: () => false,
    onRedo: () => {},
    onDifference: () => {},
  });

  const join = (id: WorkerId) => {
    const life = -LIFE * Math.log(1 - random());
    alive.set(id, { queue: [], busy: false, life: nowS + life });
    timed(() => membership.admit({ id, instance: `${draws}`, version: "1" }));
    timed(() =>
      membership.ready(
        id,
        { numericsClass: "n", specDigest: "s", layoutDigest: "l", dataDigest: "d" },
        { device: "d", transport: "shm", metrics: "" },
      ),
    );
    decide(() => dispatcher.replan());
    at(life, () => {
      deaths++;
      lose(id);
    });
  };
  const lose = (id: WorkerId) => {
    if (!alive.delete(id)) return;
    timed(() => membership.remove(id, "lost", "simulated"));
    timed(() => dispatcher.gone(id));
    decide(() => dispatcher.replan());
    at(AWAY, () => join(id));
  };
  const work = (id: WorkerId) => {
    const worker = alive.get(id);
    const lease = worker?.queue[0];
    if (!worker || worker.busy || !lease) return;
    worker.busy = true;
    const leaves = lease.hi - lease.lo;
    const slow = random() < STRAGGLER ? 10 : 1;
    const seconds = LEAF * slow * (0.9 + 0.2 * random());
    const block = { lo: lease.lo, hi: lease.hi };
    at(seconds * leaves, () => {
      if (alive.get(id) !== worker) return;
      worker.busy = false;
      const held = worker.queue.includes(lease);
      worker.queue = worker.queue.filter((each) => each !== lease);
      if (held) {
        const { tuple } = lease;
        timed(() => dispatcher.progress(id, { tuple, kind: "gradient", block }, leaves, seconds));
        const digest = `${tuple!.step}:${lease.lo}`;
        const claim = timed(() => dispatcher.claim(id, { tuple, kind: "gradient", block }, digest));
        if (claim.kind === "take") {
          const sink = dispatcher.receive(claim.lease);
          const result = { block, worker: id, attempt: tuple!.attempt, digest, losses: [], ids: [], seconds: {} };
          timed(() => dispatcher.handIn(claim.lease, result, sink));
        }
      }
      work(id);
    });
  };
  const beat = () => {
    for (const id of alive.keys()) timed(() => membership.heard(id));
    at(HEARTBEAT, beat);
  };
  const patrol = () => {
    decide(() => dispatcher.patrol());
    at(PATROL, patrol);
  };

  for (let i = 0; i < n; i++) join(workerId(`w${i}`));
  beat();
  patrol();
  const collect = (): Collector => ({
    open: () => ({
      bytes: 0,
      fill: async () => 0,
      arrived: async () => "",
      collect: async () => {},
      discard: () => {},
    }),
    dispose: () => {},
  });
  const hungry = new Map<WorkerId, number>();
  let starved = 0;
  const nanos: number[] = [];
  const stretches: number[] = [];
  const stop = new AbortController();
  for (let step = 0; step < steps; step++) {
    served.clear();
    const present = [...membership.members.keys()];
    const spentBefore = spentMs;
    const decisionsBefore = decisions;
    const begun = nowS;
    timed(() => dispatcher.open({ kind: "gradient", step, V, vectorDigest: "", traceParent: "", collect }));
    let over = false;
    const finished = dispatcher.finish(stop.signal).then(() => {
      over = true;
    });
    while (!over) {
      const next = events.pop();
      if (!next) throw new Error("the simulation has run dry");
      nowS = next.at;
      next.act();
      for (let i = 0; i < 6; i++) await null;
    }
    await finished;
    dispatcher.advance(step + 1);
    nanos.push((1e6 * (spentMs - spentBefore)) / n / Math.max(1, decisions - decisionsBefore));
    stretches.push((nowS - begun) / LEAF);
    for (const id of present) {
      const times = served.has(id) || !alive.has(id) ? 0 : (hungry.get(id) ?? 0) + 1;
      hungry.set(id, times);
      starved = Math.max(starved, times);
    }
  }
  return {
    workers: n,
    V,
    steps,
    deaths,
    copies,
    decisionsPerStep: decisions / steps,
    nanosPerWorkerAndDecision: summarise(nanos),
    starved,
    stretch: summarise(stretches),
  };
}

/** A binary heap: the earliest first. */
function createQueue<Act>() {
  const heap: { at: number; act: Act }[] = [];
  const swap = (i: number, j: number) => {
    const kept = heap[i]!;
    heap[i] = heap[j]!;
    heap[j] = kept;
  };
  return {
    push(at: number, act: Act) {
      heap.push({ at, act });
      for (let i = heap.length - 1; i > 0; ) {
        const up = (i - 1) >> 1;
        if (heap[up]!.at <= heap[i]!.at) break;
        swap(i, up);
        i = up;
      }
    },
    pop(): { at: number; act: Act } | undefined {
      if (heap.length === 0) return undefined;
      swap(0, heap.length - 1);
      const first = heap.pop();
      for (let i = 0; ; ) {
        const [left, right] = [2 * i + 1, 2 * i + 2];
        let least = i;
        if (left < heap.length && heap[left]!.at < heap[least]!.at) least = left;
        if (right < heap.length && heap[right]!.at < heap[least]!.at) least = right;
        if (least === i) break;
        swap(i, least);
        i = least;
      }
      return first;
    },
  };
}

const rows: Row[] = [];
for (const size of values.sizes.split(",").map(Number)) rows.push(await simulate(size, Number(values.steps)));
if (values.json) console.log(JSON.stringify(rows, null, 2));
else {
  console.log(machineLine());
  console.log(
    `a worker lives ${LIFE} s on average and is back after ${AWAY} s; ${100 * STRAGGLER} % of leaves take ten times as long`,
  );
  const columns = [
    "workers",
    "steps",
    "deaths",
    "copies",
    "decisions a step",
    "ns a worker and decision",
    "step over leaf",
    "starved steps",
  ];
  console.log(`| ${columns.join(" | ")} |\n| ${columns.map(() => "---:").join(" | ")} |`);
  for (const {
    workers,
    steps,
    deaths,
    copies,
    decisionsPerStep,
    nanosPerWorkerAndDecision,
    stretch,
    starved,
  } of rows) {
    const cells = [workers, steps, deaths, copies, decisionsPerStep.toFixed(0)];
    console.log(`| ${[...cells, spread(nanosPerWorkerAndDecision, 0), spread(stretch, 2), starved].join(" | ")} |`);
  }
}
