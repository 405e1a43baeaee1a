import { describe, expect, it } from "vitest";
import { createGradientCollector } from "../../coordinator/aggregation/gradient-collector.ts";
import { createRound, type Lease, type Result } from "../../coordinator/aggregation/round.ts";
import { createTreeSum } from "../../coordinator/aggregation/tree-sum.ts";
import { workerId } from "../../shared/ids.ts";
import { type LocalVector, openReducer } from "../../shared/kernels/open-reducer.ts";
import type { Vector } from "../../shared/kernels/reducer.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";
import type { Block } from "../../shared/tensor/tree.ts";

const [a, b, c] = ["a", "b", "c"].map(workerId) as [
  ReturnType<typeof workerId>,
  ReturnType<typeof workerId>,
  ReturnType<typeof workerId>,
];
const LEFT: Block = { lo: 0, hi: 2 };
const RIGHT: Block = { lo: 2, hi: 4 };

const open = (V = 4) => createRound<string>("gradient", 7, V);
const result = ({ block, worker, attempt }: Lease, digest = "d"): Result => ({
  block,
  worker,
  attempt,
  digest,
  losses: [],
  ids: [],
  seconds: {},
});

describe("a round", () => {
  it("has its results in index order, whatever order they come in", () => {
    const round = open();
    const right = round.begin(0, b, RIGHT, false);
    const left = round.begin(0, a, LEFT, false);
    expect(round.pending).toEqual([]);
    expect(round.finish(right, result(right), "r").kind).toBe("accept");
    expect(round.finish(left, result(left), "l")).toEqual({ kind: "accept", payload: "l", unused: [], revoked: [] });
    expect(round.results.map(({ block }) => block)).toEqual([LEFT, RIGHT]);
  });

  it("lends a block with all that its result is checked against", () => {
    const round = open();
    const lease = round.begin(5, a, LEFT, false);
    const first = { kind: "gradient", step: 7, block: LEFT, worker: a, purpose: "first", done: 0 };
    expect(lease).toEqual({ ...first, attempt: 1, grantedMs: 5, progressMs: 5 });
    const copy = round.copy(9, b, LEFT, "speculation");
    const second = { ...first, worker: b, purpose: "speculation" };
    expect(copy).toEqual({ ...second, attempt: 2, grantedMs: 9, progressMs: 9 });
    expect(round.leases).toEqual([lease, copy]);
  });

  it("keeps what is pending in index order, whatever is begun and taken back", () => {
    const round = open(8);
    round.begin(0, a, { lo: 2, hi: 4 }, false);
    expect(round.pending).toEqual([
      { lo: 0, hi: 2 },
      { lo: 4, hi: 8 },
    ]);
    round.begin(0, a, { lo: 0, hi: 2 }, false);
    round.revoke(a);
    expect(round.pending.map(({ lo }) => lo)).toEqual([0, 2, 4]);
  });

  it("keeps a block begun while one of its two copies is left", () => {
    const round = open();
    round.begin(0, a, LEFT, false);
    const copy = round.copy(0, b, LEFT, "speculation");
    round.revoke(a);
    expect(round.pending).toEqual([RIGHT]);
    expect(round.leases).toEqual([copy]);
    expect(round.finish(copy, result(copy), "copy").kind).toBe("accept");
  });

  it("counts the payload of a revoked lease for nothing, also when its block was divided since", () => {
    const round = open();
    const old = round.begin(0, a, LEFT, false);
    round.revoke(a);
    const half = round.begin(1, a, { lo: 0, hi: 1 }, false);
    expect(round.finish(old, result(old), "late").kind).toBe("stale");
    // Nor may a live lease of the half bring in the whole, or the accepted whole be compared with a half.
    expect(round.claim(a, LEFT, half.attempt, "d").kind).toBe("stale");
    const right = round.begin(1, b, RIGHT, false);
    expect(round.claim(b, { lo: 2, hi: 3 }, right.attempt, "d").kind).toBe("stale");
    round.finish(right, result(right), "r");
    expect(round.claim(b, { lo: 2, hi: 3 }, right.attempt, "d").kind).toBe("stale");
  });

  it("takes back what a lost worker held, under a new attempt, and refuses the old one", () => {
    const round = open();
    const old = round.begin(0, a, LEFT, false);
    round.begin(0, b, RIGHT, false);
    expect(round.revoke(a)).toEqual([old]);
    expect(round.pending).toEqual([LEFT]);
    expect(round.holds(a)).toBe(false);
    const again = round.begin(1, a, LEFT, false);
    expect(again.attempt).not.toBe(old.attempt);
    // Its payload was on the way: it arrives whole, but its lease is gone.
    expect(round.claim(a, LEFT, old.attempt, "d").kind).toBe("stale");
    expect(round.finish(old, result(old), "late").kind).toBe("stale");
    expect(round.claim(a, LEFT, again.attempt, "d")).toEqual({ kind: "take", lease: again });
    expect(round.claim(b, LEFT, again.attempt, "d").kind).toBe("stale");
  });

  it("takes back only what is queued from a worker that leaves", () => {
    const round = open();
    const first = round.begin(0, a, LEFT, false);
    const second = round.begin(0, a, RIGHT, false);
    expect(round.revoke(a, "queued")).toEqual([second]);
    expect(round.leases).toEqual([first]);
    expect(round.pending).toEqual([RIGHT]);
  });

  it("accepts the first of two copies, revokes the other, and compares it when it comes all the same", () => {
    const round = open();
    const slow = round.begin(0, a, LEFT, false);
    const fast = round.copy(1, b, LEFT, "speculation");
    expect(round.finish(fast, result(fast), "fast")).toEqual({
      kind: "accept",
      payload: "fast",
      unused: [],
      revoked: [slow],
    });
    expect([round.holds(a), round.holds(b)]).toEqual([false, false]);
    expect(round.finish(slow, result(slow), "slow")).toMatchObject({ kind: "duplicate", agrees: true, other: b });
    expect(round.claim(a, LEFT, slow.attempt, "other bits")).toMatchObject({
      kind: "duplicate",
      agrees: false,
      other: b,
    });
    expect(round.results).toHaveLength(1);
  });

  it("counts progress only forward, and only of a live lease", () => {
    const round = open();
    const lease = round.begin(0, a, LEFT, false);
    expect(round.progress(5, a, LEFT, lease.attempt, 1)).toMatchObject({ done: 1, progressMs: 5 });
    expect(round.progress(9, a, LEFT, lease.attempt, 1)).toBeNull();
    expect(round.progress(9, b, LEFT, lease.attempt, 2)).toBeNull();
    expect(round.progress(9, a, LEFT, lease.attempt + 1, 2)).toBeNull();
    expect(round.progress(9, a, RIGHT, lease.attempt, 2)).toBeNull();
    expect(lease.progressMs).toBe(5);
  });

  it("begins nothing that is not pending, and no range that is no node of the tree", () => {
    const round = open();
    round.begin(0, a, LEFT, false);
    expect(() => round.begin(0, b, LEFT, false)).toThrow(/pending/);
    expect(() => open().begin(0, b, { lo: 1, hi: 3 }, false)).toThrow(/pending/);
  });

  it("copies only what is being computed", () => {
    const round = open();
    expect(() => round.copy(0, b, LEFT, "speculation")).toThrow(/being computed/);
    const left = round.begin(0, a, LEFT, false);
    round.finish(left, result(left), "l");
    expect(() => round.copy(0, b, LEFT, "speculation")).toThrow(/being computed/);
  });

  it("forgets everything when it begins again, and gives back the payloads that waited", () => {
    const round = open();
    const left = round.begin(0, a, LEFT, true);
    round.begin(0, b, RIGHT, false);
    round.finish(left, result(left), "held");
    expect(round.reset()).toEqual(["held"]);
    expect(round.pending).toEqual([{ lo: 0, hi: 4 }]);
    expect(round.leases).toEqual([]);
    expect(round.holds(b)).toBe(false);
    expect(round.claim(b, RIGHT, 2, "d").kind).toBe("stale");
    // Begun again it is not to be mistaken for what it was.
    expect(round.begin(1, b, RIGHT, false).attempt).toBeGreaterThan(2);
    expect(round.claim(b, RIGHT, 2, "d").kind).toBe("stale");
  });

  it("gives back no payload that was accepted: whoever collected it owns it", () => {
    const round = open();
    const left = round.begin(0, a, LEFT, false);
    round.finish(left, result(left), "collected");
    expect(round.reset()).toEqual([]);
    expect(round.results).toEqual([]);
  });
});

describe("an audited block", () => {
  const audited = () => {
    const round = open();
    const first = round.begin(0, a, LEFT, true);
    expect(round.finish(first, result(first, "x"), "from a").kind).toBe("hold");
    return round;
  };

  it("waits for a second worker, and counts when both agree", () => {
    const round = audited();
    expect(round.results).toEqual([]);
    const second = round.copy(0, b, LEFT, "audit");
    expect(round.finish(second, result(second, "x"), "from b")).toEqual({
      kind: "accept",
      payload: "from a",
      unused: ["from b"],
      revoked: [],
    });
    expect(round.results).toMatchObject([{ worker: a, digest: "x" }]);
  });

  it("takes back a third computation when two agree", () => {
    const round = audited();
    const second = round.copy(0, b, LEFT, "audit");
    const third = round.copy(0, c, LEFT, "speculation");
    expect(round.finish(second, result(second, "x"), "from b")).toMatchObject({ kind: "accept", revoked: [third] });
    expect(round.holds(c)).toBe(false);
    expect(round.claim(c, LEFT, third.attempt, "y")).toMatchObject({ kind: "duplicate", agrees: false, other: a });
  });

  it("names the one that a third disagrees with", () => {
    for (const [second, third, liar] of [
      ["y", "x", b],
      ["y", "y", a],
    ] as const) {
      const round = audited();
      const ofB = round.copy(0, b, LEFT, "audit");
      expect(round.finish(ofB, result(ofB, second), "from b")).toMatchObject({
        kind: "hold",
        reason: expect.stringContaining("a third worker settles it"),
      });
      const ofC = round.copy(0, c, LEFT, "settle");
      expect(round.finish(ofC, result(ofC, third), "from c")).toMatchObject({ kind: "liar", worker: liar });
    }
  });

  it("is unsettled when three give three results", () => {
    const round = audited();
    const ofB = round.copy(0, b, LEFT, "audit");
    round.finish(ofB, result(ofB, "y"), "from b");
    const ofC = round.copy(0, c, LEFT, "settle");
    expect(round.finish(ofC, result(ofC, "z"), "from c")).toMatchObject({ kind: "unsettled" });
  });

  it("counts as it is when nobody is there to compare, but not when two differ", () => {
    expect(audited().waive(LEFT)).toMatchObject({ kind: "accept", payload: "from a" });
    const round = audited();
    const ofB = round.copy(0, b, LEFT, "audit");
    round.finish(ofB, result(ofB, "y"), "from b");
    expect(round.waive(LEFT)).toBeNull();
  });

  it("stays begun when its second worker is lost: what is held is not computed again", () => {
    const round = audited();
    round.copy(0, b, LEFT, "audit");
    round.revoke(b);
    expect(round.pending).toEqual([RIGHT]);
    expect(round.work(LEFT)).toMatchObject({ leases: [], accepted: null, held: [{ worker: a }] });
  });
});

describe("the tree sum", () => {
  it("adds what is left to what is right of it, whichever came last, and gives back all but the root", async () => {
    const texts = new Map<Vector, string>();
    const released: Vector[] = [];
    const reducer = {
      async add(into: Vector, left: Vector, right: Vector) {
        texts.set(into, `(${texts.get(left)} ${texts.get(right)})`);
      },
      release: (vector: Vector) => void released.push(vector),
    };
    for (const order of [
      [0, 1, 2, 3, 4],
      [4, 3, 2, 1, 0],
      [2, 4, 0, 3, 1],
    ]) {
      released.length = 0;
      const tree = createTreeSum(5, 0, reducer);
      let root: Vector | null = null;
      for (const i of order) {
        const leaf: Vector = { id: i };
        texts.set(leaf, `${i}`);
        root = await tree.add({ lo: i, hi: i + 1 }, leaf);
      }
      expect(texts.get(root!)).toBe("(((0 1) (2 3)) 4)");
      expect(new Set(released).size).toBe(4);
      expect(released).toHaveLength(4);
      expect(released).not.toContain(root);
    }
  });

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
      const tree = createTreeSum(V, 0, reducer);
      let digest = "";
      for (const i of order) {
        const root = await tree.add({ lo: i, hi: i + 1 }, leaf(i));
        if (!root) continue;
        digest = await reducer.digest(root as LocalVector);
        reducer.release(root as LocalVector);
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
    const tree = createTreeSum(4, 0, reducer);
    await tree.add({ lo: 0, hi: 2 }, reducer.allocate());
    await expect(tree.add({ lo: 1, hi: 2 }, reducer.allocate())).rejects.toThrow(/summed already/);
    await expect(tree.add({ lo: 0, hi: 4 }, reducer.allocate())).rejects.toThrow(/summed already/);
    expect(tree.covers({ lo: 0, hi: 4 })).toBe(false);
    expect(tree.covers({ lo: 0, hi: 1 })).toBe(true);
    expect(tree.covers({ lo: 2, hi: 3 })).toBe(false);
    tree.dispose();
  });

  it("gives every vector back when it is disposed of, also one that is being added to just then", async () => {
    const layout = buildLayout([{ name: "w", shape: [4], init: { kind: "zeros" } }]);
    await using reducer = await openReducer({ layout, optimizer: "sgd", maxVectors: 3 });
    for (let round = 0; round < 3; round++) {
      const tree = createTreeSum(4, 0, reducer);
      await tree.add({ lo: 0, hi: 1 }, reducer.allocate());
      await tree.add({ lo: 2, hi: 3 }, reducer.allocate());
      const adding = tree.add({ lo: 1, hi: 2 }, reducer.allocate());
      tree.dispose();
      expect(await adding).toBeNull();
    }
    const all = [reducer.allocate(), reducer.allocate(), reducer.allocate()]; // none was lost: the bound is three
    for (const vector of all) reducer.release(vector);
  });
});

describe("the payload of a gradient block", () => {
  it("is written into a vector, joins the sum when it is collected, and is given back when nobody needs it", async () => {
    const layout = buildLayout([{ name: "w", shape: [3], init: { kind: "zeros" } }]);
    await using reducer = await openReducer({ layout, optimizer: "sgd", maxVectors: 2 });
    const roots: Vector[] = [];
    const collector = createGradientCollector(reducer, 2, 0, (root) => roots.push(root));
    const bytes = Buffer.from(Float32Array.of(1, 2, 3).buffer);
    for (const lo of [1, 0]) {
      collector.open({ lo, hi: lo + 1 }).discard();
      const sink = collector.open({ lo, hi: lo + 1 });
      expect(sink.bytes).toBe(layout.size * 4);
      const empty = await sink.arrived();
      expect(await sink.fill({ kind: "chunks", chunks: [bytes] as never }, new AbortController().signal)).toBe(12);
      expect(await sink.arrived()).not.toBe(empty);
      expect(roots).toEqual([]);
      await sink.collect();
    }
    const [root] = roots as LocalVector[];
    expect([...root!.shard(0).subarray(0, 3)]).toEqual([2, 4, 6]);
    for (const vector of [root!, reducer.allocate()]) reducer.release(vector); // none was lost: the bound is two
  });
});
