// How many workers a job would like: bounded, useful, calm under noise, and never fewer for an earlier deadline.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decideDesiredWorkers, type WishPolicy, type WishState } from "../../coordinator/autoscale/decide.ts";
import { predictor, usefulSizes } from "../../coordinator/autoscale/predict.ts";
import { createSizes, type StepTimes } from "../../coordinator/autoscale/sizes.ts";
import { createWish } from "../../coordinator/autoscale/wish.ts";
import { PHASES, type RunEvent, type RunStatus, type Wish } from "../../shared/bus/events.ts";
import { parseJob } from "../../shared/config/load.ts";

/** 10 s of computing for one worker, 1 s that nobody shares. */
const policy: WishPolicy = { min: 1, max: 16, perPod: 1, microBatches: 16, deadlineMs: null, minEfficiency: null };
const amdahl = (workers: number, { serial = 1, compute = 10, V = 16 } = {}): StepTimes => {
  const shared = (compute * Math.ceil(V / workers)) / V;
  return { total: serial + shared, compute: shared };
};
const measuredAt = (...sizes: number[]) => new Map(sizes.map((n) => [n, amdahl(n)]));
const at = (workers: number, more: Partial<WishState> = {}): WishState => ({
  phase: "Training",
  workers,
  fewer: null,
  stepsLeft: 100,
  measured: measuredAt(workers),
  ...more,
});
/** Now is 0. */
const decide = (state: WishState, change: Partial<WishPolicy>, nowMs = 0) =>
  decideDesiredWorkers(nowMs, state, { ...policy, ...change });

describe("the sizes that may be asked for", () => {
  const sizes = (change: Partial<WishPolicy>) => usefulSizes({ ...policy, ...change });

  it("are those at which the busiest worker has less to do than at any smaller one", () => {
    expect(sizes({})).toEqual([1, 2, 3, 4, 6, 8, 16]);
    expect(sizes({ max: 64 })).toEqual([1, 2, 3, 4, 6, 8, 16]);
    expect(sizes({ microBatches: 1 })).toEqual([1]);
    expect(sizes({ min: 5, max: 7 })).toEqual([5, 6]);
  });

  it("fill whole pods within the bounds, and are at least one", () => {
    expect(sizes({ perPod: 4 })).toEqual([4, 8, 16]);
    expect(sizes({ perPod: 4, min: 5, max: 15 })).toEqual([8]);
    expect(sizes({ min: 20, max: 32 })).toEqual([20]); // the job will not train with fewer
    expect(sizes({ perPod: 4, min: 5, max: 7 })).toEqual([4]); // the only one that a cluster can have
    expect(sizes({ perPod: 4, min: 1, max: 3 })).toEqual([4]);
  });
});

describe("a step at a size that was not seen yet", () => {
  it("takes what the nearest size did, with the slowest worker's share of the computing", () => {
    const seconds = predictor(measuredAt(2), 16);
    expect([1, 2, 4, 16].map(seconds)).toEqual([11, 6, 3.5, 1.625]);
  });

  it("is not what a seen one was measured to be", () => {
    const measured = new Map([...measuredAt(2), [4, { total: 5, compute: 4 }]]);
    const seconds = predictor(measured, 16);
    expect(seconds(4)).toBe(5); // 3.5 was hoped for
    expect(seconds(8)).toBe(3);
    expect(seconds(3)).toBe(5.5); // halfway between the two, as its share is
    expect(predictor(new Map([...measuredAt(8), [15, amdahl(8)]]), 16)(12)).toBe(amdahl(8).total); // all have the same share
  });
});

describe("a job with a deadline", () => {
  // With one worker 11 s a step, so 1,100 s for what is left.
  it("would like the fewest workers that make it with a tenth of the time to spare", () => {
    const by = (seconds: number) => decide(at(1), { deadlineMs: 1000 * seconds }).workers;
    expect([1300, 1223, 1200, 700, 400, 180].map(by)).toEqual([1, 1, 2, 2, 4, 16]);
    expect(decide(at(1), { deadlineMs: 1_200_000 })).toEqual({
      kind: "more",
      workers: 2,
      fewer: null,
      leastSeconds: 162.5,
      reason: "2 workers need 600 s for 100 steps, the deadline is in 1200 s",
    });
  });

  it("would like the fastest size when none makes it, and says so", () => {
    for (const deadlineMs of [100_000, 0, -1_000_000]) {
      const { workers, reason, leastSeconds } = decide(at(1), { deadlineMs });
      expect([workers, leastSeconds]).toEqual([16, 162.5]);
      expect(reason).toMatch(/, and no number of workers is faster$/);
    }
    const measured = new Map([...measuredAt(4), [16, { total: 9, compute: 1 }]]);
    expect(decide(at(4, { measured }), { deadlineMs: 0 }).workers).toBe(4); // sixteen were seen to be slower
  });

  it("lets a wish be while it makes it, though a smaller one might do", () => {
    const state = at(4, { measured: measuredAt(2, 4) }); // 2 need 600 s, 4 need 350
    expect(decide(state, { deadlineMs: 620_000 })).toMatchObject({ kind: "hold", workers: 4, fewer: null });
    expect(decide(state, { deadlineMs: 390_000 })).toMatchObject({ kind: "hold", workers: 4 });
    expect(decide(state, { deadlineMs: 380_000 })).toMatchObject({ kind: "more", workers: 6 });
  });

  it("would like fewer once a quarter of the time has been to spare for five minutes, and then the most of what would have done", () => {
    const deadlineMs = 1_700_000;
    const first = decide(at(4), { deadlineMs });
    expect(first).toMatchObject({ kind: "hold", workers: 4, fewer: { sinceMs: 0, workers: 1 } });
    const worse = decide(at(4, { fewer: first.fewer, stepsLeft: 120 }), { deadlineMs }, 100_000);
    expect(worse).toMatchObject({ kind: "hold", workers: 4, fewer: { sinceMs: 0, workers: 2 } });
    const later = (nowMs: number) => decide(at(4, { fewer: worse.fewer, stepsLeft: 80 }), { deadlineMs }, nowMs);
    expect(later(299_999)).toMatchObject({ kind: "hold", workers: 4 });
    expect(later(300_000)).toMatchObject({ kind: "fewer", workers: 2, fewer: null });
  });

  it("begins to wait anew when fewer would not do for a moment", () => {
    const { fewer } = decide(at(4), { deadlineMs: 1_700_000 });
    expect(decide(at(4, { fewer, stepsLeft: 250 }), { deadlineMs: 1_700_000 }, 200_000).fewer).toBeNull();
  });

  it("does not go beyond what the efficiency bears that it asks for as well", () => {
    const measured = measuredAt(1, 2, 4, 8, 16);
    const both = decide(at(1, { measured }), { deadlineMs: 0, minEfficiency: 0.7 });
    expect(both.workers).toBe(4); // from 4 to 8 each adds 0.56 of what one of the four gives
    expect(both.leastSeconds).toBe(350);
  });
});

describe("a job with a least efficiency", () => {
  it("would like one size more at a time, and only from a size that was measured", () => {
    const { kind, workers } = decide(at(1), { minEfficiency: 0.7 });
    expect([kind, workers]).toEqual(["more", 2]);
    const waiting = decide(at(2, { measured: measuredAt(1) }), { minEfficiency: 0.7 });
    expect(waiting).toMatchObject({ kind: "hold", workers: 2, reason: "2 workers are not measured yet" });
    expect(decide(at(5, { measured: measuredAt(5) }), { minEfficiency: 0.1 }).workers).toBe(6);
  });

  it("passes over a size whose workers would all wait for one that has more to do", () => {
    expect(decide(at(2), { minEfficiency: 0.7 }).workers).toBe(4); // 3 would have 6, 5 and 5 of the micro-batches
  });

  it("stops where one more adds too little, and goes back from where it does not bear it", () => {
    const measured = measuredAt(1, 2, 3, 4, 6, 8, 16);
    const settled = decide(at(4, { measured }), { minEfficiency: 0.7 });
    const reason = "beyond 4 workers each adds less than 0.7 of the mean one";
    expect(settled).toMatchObject({ kind: "hold", workers: 4, fewer: null, reason });
    expect(decide(at(8, { measured }), { minEfficiency: 0.6 }).fewer).toBeNull(); // 0.56 is borne
    expect(decide(at(16, { measured }), { minEfficiency: 0.7 })).toMatchObject({ fewer: { workers: 4 } });
  });

  it("would like them all where they scale, and one where they do not", () => {
    const perfect = new Map([1, 2, 4, 8, 16].map((n) => [n, amdahl(n, { serial: 0 })]));
    expect(decide(at(8, { measured: perfect }), { minEfficiency: 0.9 }).workers).toBe(16);
    const none = new Map([1, 2, 4].map((n) => [n, { total: 3, compute: 0 }]));
    expect(decide(at(4, { measured: none }), { minEfficiency: 0.2 }).fewer).toMatchObject({ workers: 1 });
  });
});

describe("a job that does not train", () => {
  it("likes what it liked, however late it is, and begins to wait for fewer only when it goes on", () => {
    for (const phase of PHASES.filter((each) => each !== "Training")) {
      expect(decide(at(2, { phase }), { deadlineMs: 0 })).toMatchObject({ kind: "hold", workers: 2, fewer: null });
      expect(decide(at(16, { phase }), { deadlineMs: 1e9 })).toMatchObject({ kind: "hold", workers: 16, fewer: null });
      expect(decide(at(2, { phase }), { minEfficiency: 0.1 })).toMatchObject({ kind: "hold", workers: 2 });
    }
    expect(decide(at(2, { phase: "Paused" }), { deadlineMs: 0 }).leastSeconds).toBe(162.5); // a pause makes it later
  });

  it("likes what it liked before anything was measured", () => {
    const measured = new Map();
    expect(decide(at(3, { measured }), { deadlineMs: 0 })).toMatchObject({
      kind: "hold",
      workers: 3,
      leastSeconds: null,
    });
    expect(decide(at(40, { measured }), { deadlineMs: 0 })).toMatchObject({ kind: "fewer", workers: 16 });
    expect(decide(at(1, { measured }), { min: 3 })).toMatchObject({ kind: "more", workers: 3 });
  });
});

/** Evenly from `low` to `high`: fast-check's own doubles are mostly the ends. */
const between = (low: number, high: number) =>
  fc.integer({ min: 0, max: 1000 }).map((n) => low + ((high - low) * n) / 1000);

describe("whatever is measured", () => {
  const anyState = fc.record({
    phase: fc.constantFrom(...PHASES),
    workers: fc.integer({ min: 0, max: 100 }),
    fewer: fc.option(
      fc.record({ sinceMs: fc.integer({ min: -600_000, max: 0 }), workers: fc.integer({ min: 1, max: 100 }) }),
    ),
    stepsLeft: fc.integer({ min: 0, max: 100_000 }),
    measured: fc
      .array(fc.tuple(fc.integer({ min: 1, max: 100 }), between(0.01, 100), between(0, 120)), { maxLength: 6 })
      .map((all) => new Map(all.map(([n, total, compute]) => [n, { total, compute }]))),
  });
  const anyPolicy = fc
    .record({
      min: fc.integer({ min: 1, max: 40 }),
      more: fc.integer({ min: 0, max: 40 }),
      perPod: fc.constantFrom(1, 2, 4),
      microBatches: fc.integer({ min: 1, max: 64 }),
      deadlineMs: fc.option(fc.integer({ min: -1e6, max: 1e7 })),
      minEfficiency: fc.option(between(0.01, 1)),
    })
    .map(({ min, more, ...rest }) => ({ ...rest, min, max: min + more }));

  it("a size that was enough before the job was edited, and is none now, is not gone back to", () => {
    const state = {
      ...({
        phase: "Training",
        workers: 5,
        stepsLeft: 0,
        measured: new Map([[1, { total: 0.01, compute: 0 }]]),
      } as const),
      fewer: { sinceMs: -300_000, workers: 4 },
    };
    const limits = { perPod: 1, microBatches: 5, deadlineMs: null, minEfficiency: 0.10009, min: 1, max: 5 };
    expect(usefulSizes(limits)).toEqual([1, 2, 3, 5]);
    expect(decideDesiredWorkers(0, state, limits)).toMatchObject({ kind: "hold", workers: 5 });
  });

  it("the wish is within the bounds, fills pods, and no worker of it is without a micro-batch", () => {
    fc.assert(
      fc.property(anyState, anyPolicy, (state, limits) => {
        const { workers, kind, fewer, leastSeconds } = decideDesiredWorkers(0, state, limits);
        const { min, max, perPod, microBatches } = limits;
        const sizes = usefulSizes(limits);
        const pods = Math.floor(max / perPod) * perPod >= min;
        if (pods) expect([workers >= min, workers <= max]).toEqual([true, true]);
        expect(workers).toBeLessThanOrEqual(Math.max(sizes[0]!, Math.ceil(microBatches / perPod) * perPod));
        if (workers !== state.workers) expect(sizes).toContain(workers);
        expect(kind).toBe(workers > state.workers ? "more" : workers < state.workers ? "fewer" : "hold");
        if (fewer && state.phase === "Training" && state.measured.size > 0)
          expect(fewer.workers).toBeLessThanOrEqual(workers);
        expect(leastSeconds === null).toBe(state.measured.size === 0);
      }),
    );
  });

  it("an earlier deadline never gives fewer workers", () => {
    fc.assert(
      fc.property(anyState, anyPolicy, fc.nat(1e7), fc.nat(1e7), (state, limits, one, other) => {
        const by = (deadlineMs: number) => decideDesiredWorkers(0, state, { ...limits, deadlineMs }).workers;
        expect(by(Math.min(one, other))).toBeGreaterThanOrEqual(by(Math.max(one, other)));
      }),
      { numRuns: 1000 },
    );
  });

  it("the same look again changes nothing, within five minutes", () => {
    fc.assert(
      fc.property(anyState, anyPolicy, (state, limits) => {
        const first = decideDesiredWorkers(0, { ...state, fewer: null }, limits);
        const again = decideDesiredWorkers(
          299_999,
          { ...state, workers: first.workers, fewer: first.fewer },
          { ...limits, deadlineMs: limits.deadlineMs === null ? null : limits.deadlineMs + 299_999 },
        );
        const climbs = limits.deadlineMs === null && state.measured.has(first.workers);
        if (!climbs) expect(again.workers).toBe(first.workers);
      }),
    );
  });
});

const stepOf = (step: number, workers: number, seconds: StepTimes): RunEvent =>
  ({ kind: "step", step, workers, seconds }) as RunEvent;

describe("what is measured of a size", () => {
  const measure = (...events: RunEvent[]) => {
    const sizes = createSizes();
    for (const event of events) sizes.observe(event);
    return Object.fromEntries(sizes.measured());
  };
  const steps = (workers: number, count: number, total = 2) =>
    Array.from({ length: count }, (_, step) => stepOf(step, workers, { total, compute: total / 2 }));
  const joined: RunEvent = { kind: "worker", workerId: "w", change: "joined", reason: "" };

  it("is there after eight steps, of which the first three do not count", () => {
    expect(measure(...steps(2, 7))).toEqual({});
    expect(measure(...steps(2, 3, 50), ...steps(2, 5))).toEqual({ 2: { total: 2, compute: 1 } });
  });

  it("is the median of the newest steps, and outlasts other sizes", () => {
    const busy = stepOf(0, 2, { total: 90, compute: 80 });
    expect(measure(...steps(2, 10), busy, busy, ...steps(4, 9, 1.2), ...steps(2, 5, 3))).toEqual({
      2: { total: 2, compute: 1 },
      4: { total: 1.2, compute: 0.6 },
    });
    expect(measure(...steps(2, 10), ...steps(2, 65, 3))).toEqual({ 2: { total: 3, compute: 1.5 } });
  });

  it("begins anew when a worker comes or goes, or takes no part", () => {
    expect(measure(...steps(2, 7), joined, ...steps(2, 3))).toEqual({});
    expect(measure(...steps(2, 7), ...steps(1, 1), ...steps(2, 3))).toEqual({});
    expect(measure(...steps(2, 7), joined, ...steps(2, 4))).toEqual({ 2: { total: 2, compute: 1 } });
  });
});

describe("the wish of a job", () => {
  const specOf = (autoscale: string) =>
    parseJob(`metadata: { name: t }\nspec: { data: { source: "shapes:" }, workers: { autoscale: ${autoscale} } }`).spec;
  const status = (change: Partial<RunStatus> = {}): RunEvent => ({
    kind: "status",
    status: { phase: "Training", step: 0, steps: 100, ...change } as RunStatus,
  });

  it("is not there where the job asks for nothing", () => {
    const wishing = createWish({ spec: specOf("{}"), desired: 2, epochMs: () => 0, onChange: () => {} });
    wishing.observe(status());
    expect(wishing.wish()).toBeUndefined();
  });

  it("begins with what was asked for, is looked at once a second, and told when it changes", () => {
    let nowMs = 0;
    const told: Wish[] = [];
    const spec = specOf('{ deadline: "1970-01-01T00:00:00Z" }');
    const wishing = createWish({ spec, desired: 2, epochMs: () => nowMs, onChange: (wish) => told.push(wish) });
    wishing.observe(status());
    expect(wishing.wish()).toMatchObject({ workers: 2, leastSeconds: null });
    for (let step = 0; step < 8; step++) wishing.observe(stepOf(step, 2, { total: 2, compute: 2 }));
    nowMs = 999;
    wishing.observe(status());
    expect(wishing.wish()).toMatchObject({ workers: 2 });
    nowMs = 1000;
    wishing.observe(status({ step: 8 }));
    expect(wishing.wish()).toMatchObject({ workers: 4, leastSeconds: 92 }); // V is 4
    expect(told).toEqual([wishing.wish()]);
    nowMs = 500; // a clock that was set back
    wishing.observe(status({ phase: "Complete", step: 100 }));
    expect(wishing.wish()).toMatchObject({ workers: 4, leastSeconds: 0 });
    expect(told).toHaveLength(1);
  });
});
