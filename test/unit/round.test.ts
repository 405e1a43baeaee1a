import { describe, expect, it } from "vitest";
import { createRound, type Lease, type Round, type Sink } from "../../coordinator/aggregation/round.ts";
import { createTreeSum } from "../../coordinator/aggregation/tree-sum.ts";
import { workerId } from "../../shared/ids.ts";
import { openReducer } from "../../shared/kernels/threads.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";
import type { Block } from "../../shared/tensor/tree.ts";

const id = workerId;
const two = [
  { id: id("a"), speed: null },
  { id: id("b"), speed: null },
];

function open(V: number): { round: Round; leases: Lease[]; collected: Block[]; discarded: Block[] } {
  const leases: Lease[] = [];
  const collected: Block[] = [];
  const discarded: Block[] = [];
  const sink = (block: Block): Sink => ({
    bytes: 0,
    regions: [],
    digest: async () => "",
    collect: async () => void collected.push(block),
    discard: () => void discarded.push(block),
  });
  const round = createRound({
    kind: "gradient",
    step: 7,
    V,
    now: () => 0,
    grant: (lease) => leases.push(lease),
    open: sink,
  });
  return { round, leases, collected, discarded };
}

const result = (lease: Lease) => ({ ...lease, losses: [], ids: [], seconds: {} });
const finish = (round: Round, lease: Lease) => round.finish(lease, result(lease), round.open(lease));

describe("a round", () => {
  it("is done when every piece has come back, with the results in index order", async () => {
    const { round, leases } = open(4);
    round.replan(two);
    for (const lease of [...leases].reverse()) expect(await finish(round, lease)).toBe("take");
    expect((await round.done).map(({ block }) => block)).toEqual([
      { lo: 0, hi: 2 },
      { lo: 2, hi: 4 },
    ]);
  });

  it("leases what a lost worker held to the others, under a new attempt, and refuses the old one", async () => {
    const { round, leases, collected, discarded } = open(4);
    round.replan(two);
    const [ofA, ofB] = leases as [Lease, Lease];
    const late = round.open(ofA);
    round.revoke(id("a"));
    round.replan([two[1]!]);
    const again = leases.filter((lease) => lease.block.lo < 2 && lease.worker === "b");
    expect(again.reduce((n, { block }) => n + block.hi - block.lo, 0)).toBe(2);
    // The payload of the dead worker was on its way: it arrives whole, but its lease is gone.
    expect(await round.finish(ofA, result(ofA), late)).toBe("stale");
    expect(discarded).toEqual([ofA.block]);
    expect(round.claim(id("a"), ofA.block, ofA.attempt).kind).toBe("stale");
    for (const lease of [ofB, ...again]) await finish(round, lease);
    await round.done;
    expect(collected.reduce((n, { lo, hi }) => n + hi - lo, 0)).toBe(4);
  });

  it("calls a result that is in already a duplicate, and a range that is no node a mistake", async () => {
    const { round, leases } = open(4);
    round.replan([two[0]!]);
    const [lease] = leases as [Lease];
    await finish(round, lease);
    expect(round.claim(id("a"), lease.block, lease.attempt).kind).toBe("duplicate");
    expect(() => round.claim(id("a"), { lo: 1, hi: 3 }, 1)).toThrow(/no block/);
  });

  it("waits without workers, and fails as a whole when told to", async () => {
    const { round, leases } = open(2);
    round.replan([]);
    expect(leases).toEqual([]);
    round.fail(new Error("bad data"));
    await expect(round.done).rejects.toThrow("bad data");
  });
});

describe("the tree sum", () => {
  it("gives the same bits in whatever order the blocks arrive", async () => {
    const V = 7;
    const layout = buildLayout([{ name: "w", shape: [1000], init: { kind: "zeros" } }]);
    await using reducer = await openReducer({ layout, optimizer: "sgd", maxVectors: 2 * V });
    const leaf = (i: number) => {
      const vector = reducer.allocate();
      vector.shard(0).forEach((_, k, all) => {
        all[k] = Math.fround((((k + 1) * 7919 * (i + 1)) % 1013) / 17 - 20);
      });
      return vector;
    };
    const sumIn = async (order: readonly number[]) => {
      const tree = createTreeSum(V, reducer);
      let digest = "";
      for (const i of order) {
        const root = await tree.add({ lo: i, hi: i + 1 }, leaf(i));
        if (!root) continue;
        digest = await reducer.digest(root);
        reducer.release(root);
      }
      return digest;
    };
    const first = await sumIn([0, 1, 2, 3, 4, 5, 6]);
    expect(first).toMatch(/^[0-9a-f]{16}$/);
    expect(await sumIn([6, 5, 4, 3, 2, 1, 0])).toBe(first);
    expect(await sumIn([3, 0, 6, 2, 5, 1, 4])).toBe(first);
  });

  it("refuses leaves that are in already", async () => {
    const layout = buildLayout([{ name: "w", shape: [4], init: { kind: "zeros" } }]);
    await using reducer = await openReducer({ layout, optimizer: "sgd", maxVectors: 4 });
    const tree = createTreeSum(4, reducer);
    await tree.add({ lo: 0, hi: 2 }, reducer.allocate());
    await expect(tree.add({ lo: 1, hi: 2 }, reducer.allocate())).rejects.toThrow(/summed already/);
    expect(tree.covers({ lo: 0, hi: 1 })).toBe(true);
    expect(tree.covers({ lo: 2, hi: 3 })).toBe(false);
    tree.dispose();
  });
});
