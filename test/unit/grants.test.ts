import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decideGrants, type PlannedWorker } from "../../coordinator/planner/grants.ts";
import { workerId } from "../../shared/ids.ts";
import { type Block, decompose, isNode } from "../../shared/tensor/tree.ts";

const workers = (...speeds: (number | null)[]): PlannedWorker[] =>
  speeds.map((speed, i) => ({ id: workerId(`w${i}`), speed, queued: 0 }));
const whole = (V: number): Block[] => [{ lo: 0, hi: V }];
const loadOf = (grants: readonly { worker: string; block: Block }[], worker: string) =>
  grants.filter((grant) => grant.worker === worker).reduce((sum, { block }) => sum + block.hi - block.lo, 0);

describe("who computes what", () => {
  it("shares a step in proportion to measured speed", () => {
    const grants = decideGrants(whole(16), 16, workers(3, 1));
    expect(loadOf(grants, "w0")).toBe(12);
    expect(loadOf(grants, "w1")).toBe(4);
  });

  it("shares evenly when no speed is known, and gives nothing where there is nothing to give", () => {
    const grants = decideGrants(whole(4), 4, workers(null, null, null, null, null));
    expect([0, 1, 2, 3, 4].map((i) => loadOf(grants, `w${i}`))).toEqual([1, 1, 1, 1, 0]);
    expect(decideGrants(whole(4), 4, [])).toEqual([]);
    expect(decideGrants([], 4, workers(1))).toEqual([]);
  });

  it("gives what a dead worker left to whoever is free first", () => {
    const survivors: PlannedWorker[] = [
      { id: workerId("busy"), speed: 1, queued: 8 },
      { id: workerId("idle"), speed: 1, queued: 0 },
    ];
    const grants = decideGrants([{ lo: 2, hi: 4 }], 8, survivors);
    expect(loadOf(grants, "idle")).toBe(2);
    expect(loadOf(grants, "busy")).toBe(0);
  });

  it("always covers every pending leaf exactly once, with nodes of the tree", () => {
    const speed = fc.option(fc.double({ min: 0.1, max: 100, noNaN: true }), { nil: null });
    const someWorkers = fc.array(fc.record({ speed, queued: fc.nat(5) }), { minLength: 1, maxLength: 7 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.nat(), fc.nat(), someWorkers, (V, a, b, list) => {
        const lo = a % V;
        const hi = lo + 1 + (b % (V - lo));
        const pending = decompose({ lo, hi }, V);
        const grants = decideGrants(
          pending,
          V,
          list.map((w, i) => ({ ...w, id: workerId(`w${i}`) })),
        );
        const covered = grants.flatMap(({ block }) => {
          expect(isNode(block, V)).toBe(true);
          return Array.from({ length: block.hi - block.lo }, (_, k) => block.lo + k);
        });
        expect(covered.sort((x, y) => x - y)).toEqual(Array.from({ length: hi - lo }, (_, k) => lo + k));
      }),
    );
  });
});
