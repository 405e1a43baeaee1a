// Pure decisions over every state, and what comes of them when they are carried out one after another, with a crash anywhere.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decideWorkerSet, type WorkerSetState } from "../../coordinator/cluster/decide.ts";
import { setNamed } from "../../coordinator/cluster/objects.ts";

const training: WorkerSetState = { resting: null, desired: 2, noted: 2, held: null, seen: 2, owned: false, max: 8 };
const decide = (change: Partial<WorkerSetState>) => decideWorkerSet({ ...training, ...change });
const PAUSE = "the run is paused: asked to";

describe("a worker set", () => {
  it("is left alone while it has what was asked for", () => {
    expect(decide({})).toEqual({ kind: "none", reason: "2 workers, as asked for" });
  });

  it("has at first what it was applied with, whatever the job says", () => {
    expect(decide({ noted: null, desired: 5, seen: 3 })).toEqual({ kind: "adopt", desired: 3, reason: "it has 3" });
  });

  it("follows what was asked of the run", () => {
    const reason = "asked to go from 2 to 4 workers";
    expect(decide({ desired: 4 })).toEqual({ kind: "scale", desired: 4, reason });
    expect(decide({ desired: 4, owned: true })).toEqual({ kind: "scale", desired: 4, reason });
  });

  it("is followed by the run when somebody else has scaled it, down to nothing, and to workers.max at most", () => {
    expect(decide({ seen: 6 })).toEqual({ kind: "adopt", desired: 6, reason: "it was scaled from 2 to 6" });
    expect(decide({ seen: 0 })).toMatchObject({ kind: "adopt", desired: 0 });
    expect(decide({ seen: 9 })).toEqual({
      kind: "scale",
      desired: 8,
      reason: "it was scaled to 9, and workers.max is 8",
    });
    expect(decide({ seen: 9, owned: true })).toMatchObject({ kind: "adopt", desired: 9 }); // its owner has bounds of its own
  });

  it("is brought to 0 for a pause or the end, and back to what it had", () => {
    expect(decide({ resting: PAUSE })).toEqual({ kind: "hold", desired: 2, reason: PAUSE });
    expect(decide({ resting: PAUSE, desired: 3 })).toMatchObject({ kind: "scale", desired: 3 }); // asked for just before
    expect(decide({ resting: PAUSE, seen: 5 })).toMatchObject({ kind: "hold", desired: 5 });
    expect(decide({ resting: PAUSE, held: PAUSE, seen: 0 })).toEqual({ kind: "none", reason: PAUSE });
    expect(decide({ held: PAUSE, seen: 0 })).toEqual({
      kind: "release",
      desired: 2,
      reason: `it was held (${PAUSE}), and the run goes on`,
    });
  });

  it("stays at 0 when somebody scales it meanwhile, which counts afterwards", () => {
    const held = decide({ resting: PAUSE, held: PAUSE, seen: 4 });
    expect(held).toMatchObject({ kind: "hold", desired: 4, reason: expect.stringContaining("scaled to 4 meanwhile") });
    expect(decide({ held: PAUSE, noted: 4, seen: 0 })).toMatchObject({ kind: "release", desired: 4 });
    expect(decide({ held: PAUSE, seen: 5 })).toMatchObject({ kind: "release", desired: 5 });
  });

  it("is not brought to 0 from here where an operator owns it", () => {
    expect(decide({ resting: PAUSE, owned: true })).toMatchObject({ kind: "none" });
    expect(decide({ resting: PAUSE, owned: true, desired: 4 })).toMatchObject({ kind: "scale", desired: 4 });
  });
});

/** The shell's order of writing, cut off anywhere. */
function carryOut(state: WorkerSetState, writes: number): WorkerSetState {
  const decision = decideWorkerSet(state);
  const change = (what: Partial<WorkerSetState>) => (now: WorkerSetState) => ({ ...now, ...what });
  const acts = {
    none: [],
    hold: [
      change({ held: "held", noted: decisionOf(decision) }),
      change({ desired: decisionOf(decision) }),
      change({ seen: 0 }),
    ],
    release: [
      change({ seen: decisionOf(decision) }),
      change({ desired: decisionOf(decision) }),
      change({ held: null, noted: decisionOf(decision) }),
    ],
    scale: [
      change({ seen: decisionOf(decision) }),
      change({ noted: decisionOf(decision), desired: decisionOf(decision) }),
    ],
    adopt: [change({ desired: decisionOf(decision) }), change({ noted: decisionOf(decision) })],
  }[decision.kind];
  return acts.slice(0, writes).reduce((now, act) => act(now), state);
}

const decisionOf = (decision: ReturnType<typeof decideWorkerSet>) => ("desired" in decision ? decision.desired : 0);

const settled = (state: WorkerSetState) => [1, 2, 3, 4].reduce((now) => carryOut(now, 3), state);

describe("acts that are interrupted anywhere", () => {
  it("end in the same number as those that are not", () => {
    const number = fc.integer({ min: 0, max: 9 });
    const states = fc.record({
      resting: fc.constantFrom(null, "paused"),
      desired: fc.integer({ min: 1, max: 8 }),
      noted: fc.option(number),
      held: fc.constantFrom(null, "paused"),
      seen: number,
      owned: fc.constant(false),
      max: fc.constant(8),
    });
    fc.assert(
      fc.property(states, fc.integer({ min: 0, max: 3 }), (state, writes) => {
        const calm = settled(state);
        expect(settled(carryOut(state, writes))).toEqual(calm);
        expect(decideWorkerSet(calm).kind).toBe("none");
        if (state.resting !== null) expect(calm.seen).toBe(0);
        else expect(calm.seen).toBe(calm.desired);
      }),
    );
  });

  it("give back, after a pause, what there was before it", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 0, max: 3 }),
        fc.integer({ min: 0, max: 3 }),
        (n, a, b) => {
          const paused = settled(carryOut({ ...training, desired: n, noted: n, seen: n, resting: "paused" }, a));
          const resumed = settled(carryOut({ ...paused, resting: null }, b));
          expect(resumed).toMatchObject({ seen: n, desired: n, noted: n, held: null });
        },
      ),
    );
  });
});

it("the name of a worker set is read out of kind and name, and nothing else is taken for one", () => {
  expect(setNamed("statefulset/plume-worker")).toBe("plume-worker");
  for (const wrong of ["plume-worker", "deployment/x", "statefulset/../pods", "statefulset/"])
    expect(() => setNamed(wrong)).toThrow("names no worker set");
});
