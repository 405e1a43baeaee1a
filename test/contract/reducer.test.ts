import { describe, expect, it } from "vitest";
import { createVectorHeap } from "../../shared/kernels/kernels.ts";
import type { OptimizerStep, Reducer, Vector } from "../../shared/kernels/reducer.ts";
import { openReducer } from "../../shared/kernels/threads.ts";
import type { OptimizerType } from "../../shared/optim/optimizers.ts";
import { normals, PURPOSE } from "../../shared/rng/stream.ts";
import { flatten } from "../../shared/tensor/flat.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";

// Small shards, so that there are several: tensors of odd sizes, one larger than a shard.
const layout = buildLayout(
  [5, 1000, 333, 4096, 7, 2500].map((size, i) => ({ name: `t${i}`, shape: [size], init: { kind: "zeros" as const } })),
  2048,
);

const NODE = { step: 0, block: { lo: 0, hi: 2 } };

const draw = (index: number): Float32Array => {
  const flat = normals({ seed: 4, purpose: PURPOSE.canary, step: 1, index }, layout.size).slice();
  // Padding is 0 by the layout's first invariant.
  for (const { offset, size } of layout.tensors) flat.fill(0, offset + size, offset + Math.ceil(size / 4) * 4);
  return flat;
};

function fill(vector: Vector, flat: Float32Array): void {
  for (const { index, offset, size } of layout.shards) vector.shard(index).set(flat.subarray(offset, offset + size));
}

const step = (type: OptimizerType, count: number): OptimizerStep => ({
  type,
  lr: 0.01,
  beta1: 0.9,
  beta2: 0.99,
  eps: 1e-8,
  weightDecay: 0.1,
  gradientScale: 0.25,
  count,
});

async function withReducer<R>(
  threads: number,
  type: OptimizerType,
  body: (reducer: Reducer) => Promise<R>,
): Promise<R> {
  await using reducer = await openReducer({ layout, optimizer: type, maxVectors: 4, threads });
  fill(reducer.params, draw(0));
  fill(reducer.ema, draw(0));
  for (const vector of Object.values(reducer.moments)) fill(vector, new Float32Array(layout.size));
  return await body(reducer); // before the reducer is closed
}

/** Three steps with everything a run does to its vectors; all that can be seen of them. */
const life = (threads: number, type: OptimizerType) =>
  withReducer(threads, type, async (reducer) => {
    const seen: unknown[] = [];
    const [left, right] = [reducer.allocate(), reducer.allocate()];
    for (let count = 1; count <= 3; count++) {
      fill(left, draw(2 * count));
      fill(right, draw(2 * count + 1));
      await reducer.add(left, left, right, NODE);
      seen.push(await reducer.squaredNorm(left), await reducer.digest(left));
      await reducer.optimize(left, step(type, count));
      await reducer.updateEma(0.9);
    }
    seen.push(await reducer.digest(reducer.params), await reducer.digest(reducer.ema));
    return seen;
  });

describe("the reducer", () => {
  it("cuts this layout in several shards", () => expect(layout.shards.length).toBeGreaterThan(3));

  it.each(["adamw", "adam", "rmsprop", "sgd"] as const)(
    "gives the same bits on 1, 2 and 3 threads with %s",
    async (type) => {
      const one = await life(1, type);
      expect(await life(2, type)).toEqual(one);
      expect(await life(3, type)).toEqual(one);
    },
  );

  it("adds and averages as float32 arithmetic does, element by element", () =>
    withReducer(2, "sgd", async (reducer) => {
      const [a, b] = [draw(8), draw(9)];
      const [left, right] = [reducer.allocate(), reducer.allocate()];
      fill(left, a);
      fill(right, b);
      await reducer.add(right, left, right, NODE);
      expect(flatten(layout, right)).toEqual(a.map((x, i) => Math.fround(x + b[i]!)));
      fill(reducer.params, a);
      fill(reducer.ema, b);
      await reducer.updateEma(0.75);
      expect(flatten(layout, reducer.ema)).toEqual(
        b.map((x, i) => Math.fround(Math.fround(x * 0.75) + Math.fround(a[i]! * 0.25))),
      );
    }));

  it("keeps the padding 0 through every optimizer step", () =>
    withReducer(1, "adamw", async (reducer) => {
      const gradient = reducer.allocate();
      fill(gradient, draw(1));
      await reducer.optimize(gradient, step("adamw", 1));
      const flat = flatten(layout, reducer.params);
      for (const { offset, size } of layout.tensors)
        for (let i = offset + size; i < offset + Math.ceil(size / 4) * 4; i++) expect(flat[i]).toBe(0);
    }));

  it("has the norm of the whole vector, and names the first value that is not finite", () =>
    withReducer(2, "sgd", async (reducer) => {
      const flat = draw(3);
      const vector = reducer.allocate();
      fill(vector, flat);
      const expected = flat.reduce((sum, x) => sum + x * x, 0);
      expect(Math.abs((await reducer.squaredNorm(vector)) - expected) / expected).toBeLessThan(1e-12);
      expect(await reducer.firstNonFinite(vector)).toBe(-1);
      const last = layout.tensors.at(-1)!;
      for (const [value, at] of [
        [Number.NaN, last.offset + 3],
        [Number.NEGATIVE_INFINITY, last.offset + 1],
      ] as const) {
        flat[at] = value;
        fill(vector, flat);
        expect(await reducer.firstNonFinite(vector)).toBe(at);
      }
    }));

  it("has a digest that changes with any bit and with the order of values, and that a worker's heap shares", () =>
    withReducer(2, "sgd", async (reducer) => {
      const flat = draw(5);
      const vector = reducer.allocate();
      fill(vector, flat);
      const digest = await reducer.digest(vector);
      const heap = createVectorHeap(layout);
      const local = heap.allocate();
      local.floats.set(flat);
      expect(heap.digest(local)).toBe(digest);
      const bits = new Uint32Array(flat.buffer, flat.byteOffset, flat.length);
      for (const [word, bit] of [
        [0, 0],
        [1003, 31],
        [layout.size - 4, 7],
      ] as const) {
        bits[word]! ^= 1 << bit;
        fill(vector, flat);
        expect(await reducer.digest(vector)).not.toBe(digest);
        bits[word]! ^= 1 << bit;
      }
      [bits[40], bits[44]] = [bits[44]!, bits[40]!];
      fill(vector, flat);
      expect(await reducer.digest(vector)).not.toBe(digest);
    }));

  it("hands out a bounded number of vectors and takes them back", () =>
    withReducer(1, "sgd", async (reducer) => {
      const held = [1, 2, 3, 4].map(() => reducer.allocate());
      expect(() => reducer.allocate()).toThrow(/bound/);
      reducer.release(held[0]!);
      expect(reducer.allocate().id).toBe(held[0]!.id);
    }));

  it("refuses work once it is closed, and closes twice", async () => {
    const reducer = await openReducer({ layout, optimizer: "sgd", maxVectors: 1 });
    await reducer[Symbol.asyncDispose]();
    await reducer[Symbol.asyncDispose]();
    await expect(reducer.squaredNorm(reducer.params)).rejects.toThrow(/closed/);
  });
});
