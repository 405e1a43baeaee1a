import { describe, expect, it } from "vitest";
import { createVectorHeap } from "../../shared/kernels/kernels.ts";
import { type LocalVector, openReducer } from "../../shared/kernels/open-reducer.ts";
import { bits, normals, PURPOSE } from "../../shared/rng/stream.ts";
import { flatten } from "../../shared/tensor/flat.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";
import { nodeNumber } from "../../shared/tensor/tree.ts";
import type { TreeNode } from "../../shared/wire/codec.ts";
import { openWire, WIRE_DTYPES, type WireDtype, wireBytes } from "../../shared/wire/index.ts";

const DTYPES = Object.keys(WIRE_DTYPES) as WireDtype[];
const SEED = 2 ** 40 + 17;
const LEAF: TreeNode = { step: 7, block: { lo: 3, hi: 4 } };

// Shards of odd lengths: one value, whole blocks of 256, one less, one more, and runs of 32 that end in the middle.
const layoutOf = (sizes: readonly number[]) =>
  buildLayout(
    sizes.map((size, i) => ({ name: `t${i}`, shape: [size], init: { kind: "zeros" as const } })),
    1, // a tensor a shard
  );
const layout = layoutOf([1, 4, 255, 256, 257, 36, 1000, 2048, 4099]);

const draw = (index: number, scale = 1): Float32Array =>
  normals({ seed: 1, purpose: PURPOSE.canary, step: 0, index }, layout.size).map((x) => x * scale);

/** Values of every magnitude, zeros of both signs, subnormal ones and the largest. */
const extreme = (): Float32Array => {
  const exponents = bits({ seed: 2, purpose: PURPOSE.canary, step: 0, index: 0 }, layout.size);
  const flat = draw(5).map((x, i) => x * 2 ** ((exponents[i]! % 250) - 130));
  flat.set([0, -0, 1e-45, -1e-45, 1.1754944e-38, 2 ** 127, -(2 ** 126.99999)], 600);
  flat[2000] = 3.4028234663852886e38;
  flat.fill(0, 1100, 1400);
  return flat;
};

/** In pieces whose ends are nobody's. */
async function* chunksOf(payload: readonly Uint8Array[]) {
  const whole = Buffer.concat(payload);
  for (let at = 0; at < whole.length; at += 777) yield whole.subarray(at, at + 777);
}

const bitsOf = (floats: Float32Array) => new Uint32Array(floats.buffer, floats.byteOffset, floats.length);

function fill(vector: LocalVector, flat: Float32Array): void {
  for (const { index, offset, size } of layout.shards) vector.shard(index).set(flat.subarray(offset, offset + size));
}

/** What rounding on a worker's heap makes of it. */
function rounded(dtype: WireDtype, flat: Float32Array, node: TreeNode = LEAF, seed = SEED): Float32Array {
  const heap = createVectorHeap(layout, openWire({ wireDtype: dtype }, seed));
  const vector = heap.allocate();
  vector.floats.set(flat);
  heap.round(vector, node);
  return vector.floats.slice();
}

describe.each(DTYPES)("gradients on the wire as %s", (dtype) => {
  const wire = openWire({ wireDtype: dtype }, SEED);

  it.each([
    ["of a gradient's size", draw(1, 1e-3)],
    ["of every magnitude", extreme()],
    ["that are all zero", new Float32Array(layout.size)],
  ])("arrive bit by bit as they were rounded: values %s", async (_, flat) => {
    const heap = createVectorHeap(layout, wire);
    const sum = heap.allocate();
    sum.floats.set(flat);
    heap.round(sum, LEAF);
    const sent = sum.floats.slice();
    const digest = heap.digest(sum);
    const payload = heap.encode(sum);
    expect(payload.reduce((bytes, region) => bytes + region.length, 0)).toBe(wireBytes(wire, layout));
    for (const threads of [1, 3]) {
      await using reducer = await openReducer({ layout, optimizer: "sgd", maxVectors: 1, wire, threads });
      const vector = reducer.allocate();
      fill(vector, draw(9)); // whatever was there before
      expect(await reducer.land(vector, { kind: "chunks", chunks: chunksOf(payload) })).toBe(reducer.gradientBytes);
      expect(await reducer.arrived(vector)).toBe(digest);
      expect(bitsOf(flatten(layout, vector))).toEqual(bitsOf(sent));
    }
  });

  it("are not changed by being rounded again, at any other node", () => {
    for (const flat of [draw(2), extreme()]) {
      const once = rounded(dtype, flat);
      expect(bitsOf(rounded(dtype, once, { step: 8, block: { lo: 0, hi: 4 } }, 3))).toEqual(bitsOf(once));
    }
  });

  it("are rounded at an inner node to the same bits by a worker and by a coordinator of 1, 2 and 3 threads", async () => {
    const node: TreeNode = { step: 7, block: { lo: 2, hi: 4 } };
    const heap = createVectorHeap(layout, wire);
    const [a, b] = [heap.allocate(), heap.allocate()];
    a.floats.set(rounded(dtype, draw(3)));
    b.floats.set(rounded(dtype, draw(4)));
    for (const threads of [1, 2, 3]) {
      await using reducer = await openReducer({ layout, optimizer: "sgd", maxVectors: 2, wire, threads });
      const [left, right] = [reducer.allocate(), reducer.allocate()];
      fill(left, a.floats);
      fill(right, b.floats);
      await reducer.add(right, left, right, node);
      const here = heap.allocate();
      heap.add(here, a, b);
      heap.round(here, node);
      expect(bitsOf(flatten(layout, right))).toEqual(bitsOf(here.floats));
      heap.release(here);
    }
  });

  it("stay not finite where they were, so that the step is refused", async () => {
    await using reducer = await openReducer({ layout, optimizer: "sgd", maxVectors: 1, wire });
    const vector = reducer.allocate();
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const flat = draw(6);
      flat[1400] = value;
      const heap = createVectorHeap(layout, wire);
      const sum = heap.allocate();
      sum.floats.set(flat);
      heap.round(sum, LEAF);
      await reducer.land(vector, { kind: "chunks", chunks: chunksOf(heap.encode(sum)) });
      await reducer.arrived(vector);
      expect(Number.isFinite(await reducer.squaredNorm(vector))).toBe(false);
      // A block of int8 has one exponent: all of it is lost.
      const first = await reducer.firstNonFinite(vector);
      expect(first).toBeGreaterThan(1400 - 256);
      expect(first).toBeLessThanOrEqual(1400);
    }
  });
});

describe("bfloat16", () => {
  it("is the nearest value with eight significant bits, ties to even", () => {
    const flat = draw(1);
    flat.set([1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -8 + 2 ** -20, -(1 + 2 ** -8)], 300);
    const got = rounded("bfloat16", flat);
    expect([...got.subarray(300, 304)]).toEqual([1, 1 + 2 ** -6, 1 + 2 ** -7, -1]);
    for (let i = 0; i < flat.length; i++) {
      if (flat[i] === 0) continue;
      const ulp = 2 ** (Math.floor(Math.log2(Math.abs(flat[i]!))) - 7);
      expect(Math.abs(got[i]! - flat[i]!)).toBeLessThanOrEqual(ulp / 2);
      expect(got[i]! / ulp).toBe(Math.round(got[i]! / ulp));
    }
  });
});

describe("int8", () => {
  it("rounds each value to a neighbour on its block's grid, by the bits of the run's stream", () => {
    const flat = draw(1, 0.02);
    const got = rounded("int8", flat);
    for (const { offset, size } of layout.shards) {
      const words = bits(
        { seed: SEED, purpose: PURPOSE.wire, step: LEAF.step, index: nodeNumber(LEAF.block) },
        4 * (Math.ceil(size / 32) * 4),
        4 * offset,
      );
      for (let block = 0; block < size; block += 256) {
        const values = flat.subarray(offset + block, offset + Math.min(size, block + 256));
        const most = values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
        let power = 2 ** -126;
        while (127 * power < most) power *= 2;
        values.forEach((x, k) => {
          const v = (block + k) % 32;
          const group = 4 * Math.floor((block + k) / 32) + (v % 4);
          const word = words[4 * group + (v >> 3)]!;
          const half = (v >> 2) & 1 ? word >>> 16 : word & 0xffff;
          const q = Math.min(127, Math.floor(Math.fround(x / power + (half + 0.5) / 65536)));
          expect(got[offset + block + k]).toBe(q * power + 0);
        });
      }
    }
  });

  it("is unbiased: the mean over steps is the value, and no two steps or nodes round alike", () => {
    const flat = draw(1);
    const mean = new Float64Array(layout.size);
    const rounds = 400;
    const seen = new Set<string>();
    for (let step = 0; step < rounds; step++) {
      const got = rounded("int8", flat, { step, block: { lo: 0, hi: 2 ** (step % 3) } });
      got.forEach((x, i) => {
        mean[i]! += x / rounds;
      });
      seen.add(Buffer.from(got.buffer).toString("base64"));
    }
    expect(seen.size).toBe(rounds);
    // One step of the grid is at most 2 / 127 of the largest value; the mean of 400 has a twentieth of its spread.
    const step = (2 * flat.reduce((most, x) => Math.max(most, Math.abs(x)), 0)) / 127;
    const errors = flat.map((x, i) => (mean[i]! - x) / step);
    expect(errors.reduce((most, x) => Math.max(most, Math.abs(x)), 0)).toBeLessThan(0.15);
    expect(Math.abs(errors.reduce((sum, x) => sum + x, 0) / errors.length)).toBeLessThan(0.002);
  });
});

describe("the number of a node", () => {
  it("is another one for every node of the tree over any V", () => {
    for (const V of [1, 2, 3, 5, 8, 13, 64]) {
      const nodes = new Map<number, string>();
      for (let span = 1; span < 2 * V; span *= 2)
        for (let lo = 0; lo < V; lo += span) {
          const hi = Math.min(lo + span, V);
          const number = nodeNumber({ lo, hi });
          expect(nodes.get(number) ?? `${lo}-${hi}`).toBe(`${lo}-${hi}`);
          nodes.set(number, `${lo}-${hi}`);
        }
    }
  });
});
