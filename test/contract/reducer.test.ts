import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { startReducers } from "../../coordinator/reducers/processes.ts";
import type { PlumeError } from "../../shared/errors.ts";
import { createVectorHeap } from "../../shared/kernels/kernels.ts";
import { type LocalReducer, type LocalVector, openReducer, reducerOver } from "../../shared/kernels/open-reducer.ts";
import type { Reducer, Vector } from "../../shared/kernels/reducer.ts";
import { OPTIMIZERS, type OptimizerName, type OptimizerStep } from "../../shared/optim/optimizers.ts";
import { normals, PURPOSE } from "../../shared/rng/stream.ts";
import { flatten } from "../../shared/tensor/flat.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";
import { scratchFolder } from "../support/plume.ts";
import { childrenOf } from "../support/processes.ts";

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

function fill(vector: LocalVector, flat: Float32Array): void {
  for (const { index, offset, size } of layout.shards) vector.shard(index).set(flat.subarray(offset, offset + size));
}

const step = (type: OptimizerName, count: number): OptimizerStep => ({
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
  type: OptimizerName,
  body: (reducer: LocalReducer) => Promise<R>,
): Promise<R> {
  await using reducer = await openReducer({ layout, optimizer: type, maxVectors: 4, threads });
  await start(reducer);
  return await body(reducer); // before the reducer is closed
}

/** The same over processes of their own. */
async function withProcesses<R>(
  count: number,
  type: OptimizerName,
  body: (reducer: Reducer, lost: PlumeError[]) => Promise<R>,
): Promise<R> {
  using scratch = scratchFolder();
  const lost: PlumeError[] = [];
  const onLost = (error: PlumeError) => void lost.push(error);
  const options = { out: scratch.path, host: "127.0.0.1", layout, count, threads: 4, onLost };
  const { groups } = await startReducers(options);
  await using reducer = reducerOver(groups, { layout, optimizer: type, maxVectors: 4 }, (id) => ({ id }));
  await start(reducer);
  return await body(reducer, lost);
}

async function start(reducer: Reducer): Promise<void> {
  await write(reducer, reducer.params, draw(0));
  await write(reducer, reducer.ema, draw(0));
  for (const vector of Object.values(reducer.moments)) await write(reducer, vector, new Float32Array(layout.size));
}

async function write(reducer: Reducer, vector: Vector, flat: Float32Array): Promise<void> {
  await Promise.all(
    layout.shards.map((shard) => reducer.write(vector, shard, flat.slice(shard.offset, shard.offset + shard.size))),
  );
}

/** Three steps with everything a run does to its vectors; all that can be seen of them. */
async function live(reducer: Reducer, type: OptimizerName): Promise<unknown[]> {
  const seen: unknown[] = [];
  const [left, right] = [reducer.allocate(), reducer.allocate()];
  for (let count = 1; count <= 3; count++) {
    await write(reducer, left, draw(2 * count));
    await write(reducer, right, draw(2 * count + 1));
    await reducer.add(left, left, right, NODE);
    seen.push(await reducer.squaredNorm(left), await reducer.digest(left));
    await reducer.optimize(left, step(type, count));
    await reducer.updateEma(0.9);
  }
  seen.push(await reducer.digest(reducer.params), await reducer.digest(reducer.ema));
  for (const shard of layout.shards) seen.push(await reducer.read(reducer.params, shard));
  return seen;
}

/** What a gradient does to all vectors. */
async function whole(reducer: Reducer, move: (gradient: Vector) => Promise<void>): Promise<number[][]> {
  const gradient = reducer.allocate();
  await write(reducer, gradient, draw(1));
  await move(gradient);
  const seen: number[][] = [];
  for (const vector of [reducer.params, reducer.ema, ...Object.values(reducer.moments)]) {
    const flat: number[] = [];
    for (const shard of layout.shards) flat.push(...(await reducer.read(vector, shard)));
    seen.push(flat);
  }
  return seen;
}

const life = (threads: number, type: OptimizerName) => withReducer(threads, type, (reducer) => live(reducer, type));

/** Reducer processes that this one started. */
const reducersOf = (parent: number): number[] =>
  childrenOf(parent).flatMap(({ pid, args }) => (args.some((arg) => arg.includes("reducers/main")) ? [pid] : []));

describe("the reducer", () => {
  it("cuts this layout in several shards", () => expect(layout.shards.length).toBeGreaterThan(3));

  it.each(Object.keys(OPTIMIZERS) as OptimizerName[])(
    "gives the same bits on 1, 2 and 3 threads with %s",
    async (type) => {
      const one = await life(1, type);
      expect(await life(2, type)).toEqual(one);
      expect(await life(3, type)).toEqual(one);
    },
  );

  it("gives the same bits in 1, 2 and 4 processes of its own", async () => {
    const here = await life(1, "adamw");
    for (const count of [1, 2, 4])
      expect(await withProcesses(count, "adamw", (reducer) => live(reducer, "adamw"))).toEqual(here);
  });

  it("moves and averages a span alone, to the bits of the whole and whoever holds its shards", async () => {
    const span = { from: layout.tensors[1]!.offset, to: layout.tensors.at(-1)!.offset };
    const moved = (reducer: Reducer, within?: typeof span) =>
      whole(reducer, async (gradient) => {
        await reducer.optimize(gradient, step("adamw", 1), within);
        await reducer.updateEma(0.9, within);
      });
    const all = await withReducer(1, "adamw", (reducer) => moved(reducer));
    const none = await withReducer(1, "adamw", (reducer) => whole(reducer, async () => {}));
    const expected = all.map((flat, k) => [
      ...none[k]!.slice(0, span.from),
      ...flat.slice(span.from, span.to),
      ...none[k]!.slice(span.to),
    ]);
    expect(await withReducer(3, "adamw", (reducer) => moved(reducer, span))).toEqual(expected);
    for (const count of [1, 2, 4])
      expect(await withProcesses(count, "adamw", (reducer) => moved(reducer, span))).toEqual(expected);
  });

  it("says which process is gone, and does nothing more without it", () =>
    withProcesses(2, "sgd", async (reducer, lost) => {
      const [first] = reducersOf(process.pid);
      process.kill(first!, "SIGKILL");
      await expect(reducer.squaredNorm(reducer.params)).rejects.toThrow(/reducer \d was killed \(SIGKILL\)/);
      expect(lost).toHaveLength(1);
      await expect(reducer.digest(reducer.params)).rejects.toThrow(/was killed/);
    }));

  it("saves a vector whole into one file, whoever holds its shards", () =>
    withProcesses(3, "sgd", async (reducer) => {
      using scratch = scratchFolder();
      await reducer.save(reducer.params, scratch.file("params"));
      const bytes = readFileSync(scratch.file("params"));
      expect(new Float32Array(bytes.buffer, bytes.byteOffset, layout.size)).toEqual(draw(0));
    }));

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

  it("moves by Lion as its paper has it (Chen et al. 2023, Algorithm 2)", () =>
    withReducer(2, "lion", async (reducer) => {
      const f = Math.fround;
      const theta = draw(0);
      const m = new Float32Array(layout.size);
      const gradient = reducer.allocate();
      for (const count of [1, 2, 3]) {
        const options = step("lion", count);
        const { lr, beta1, beta2, weightDecay, gradientScale } = options;
        const drawn = draw(count);
        fill(gradient, drawn);
        await reducer.optimize(gradient, options);
        drawn.forEach((raw, i) => {
          const g = f(raw * gradientScale);
          const c = f(f(m[i]! * f(beta1)) + f(g * f(1 - beta1)));
          theta[i] = f(f(theta[i]! * f(1 - lr * weightDecay)) - f(f(lr) * Math.sign(c)));
          m[i] = f(f(m[i]! * f(beta2)) + f(g * f(1 - beta2)));
        });
      }
      expect(flatten(layout, reducer.params)).toEqual(theta);
      expect(flatten(layout, reducer.moments.m!)).toEqual(m);
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
