// What every compute backend must do before plume trains on it: each operation that models use, its value against plain
// float64 loops and its gradient against central differences of those loops, never of the backend itself; the same bits
// after whatever work; tensors and memory flat.

import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../../shared/backends/backend.ts";
import { columnSums, conv2d } from "../../../shared/nn/fused.ts";
import { type BackendCase, random } from "./case.ts";
import { BACKEND_CASES } from "./cases.ts";
import type { Nd } from "./reference.ts";
import { draw, otherWork, STEP_SHAPES, trainStep, trainSteps } from "./steps.ts";

/** float32 sums of some hundred terms. */
const TOLERANCE = 3e-5;
const GRADIENT_TOLERANCE = 2e-4;
/** Elements of every input whose gradient is measured. */
const PROBES = 24;

/** Disposes what was made within, also across reads, which a GPU has to wait for. */
async function scoped(work: () => Promise<void>): Promise<void> {
  tf.engine().startScope();
  try {
    await work();
  } finally {
    tf.engine().endScope();
  }
}

const toNd = async (x: tf.Tensor): Promise<Nd> => ({ shape: x.shape, data: Float64Array.from(await x.data()) });

const worst = (got: ArrayLike<number>, expected: ArrayLike<number>): number =>
  Array.from(expected).reduce((most, y, i) => Math.max(most, Math.abs(got[i]! - y) / (1 + Math.abs(y))), 0);

async function valueError({ op, reference }: BackendCase, inputs: tf.Tensor[]): Promise<number> {
  const got = op(...inputs);
  const expected = reference(...(await Promise.all(inputs.map(toNd))));
  expect(got.shape).toEqual(expected.shape);
  return worst(await got.data(), expected.data);
}

async function gradientError({ op, reference }: BackendCase, inputs: tf.Tensor[]): Promise<number> {
  const weights = random(...op(...inputs).shape);
  const w = await weights.data();
  const gradients = tf.grads((...xs: tf.Tensor[]) => tf.sum(tf.mul(op(...xs), weights)) as tf.Scalar)(inputs);
  const plain = await Promise.all(inputs.map(toNd));
  const value = (xs: Nd[]) => reference(...xs).data.reduce((total, y, i) => total + y * w[i]!, 0);
  const eps = 1e-5;
  const errors = inputs.map(async (input, k) => {
    expect(gradients[k]!.shape).toEqual(input.shape);
    const { shape, data } = plain[k]!;
    const probed = Array.from({ length: Math.min(PROBES, data.length) }, (_, trial) => (trial * 7919) % data.length);
    const moved = (at: number, delta: number) => {
      const copy = data.slice();
      copy[at]! += delta;
      return value(plain.map((x, j) => (j === k ? { shape, data: copy } : x)));
    };
    const numeric = probed.map((at) => (moved(at, eps) - moved(at, -eps)) / (2 * eps));
    const analytic = await gradients[k]!.data();
    return worst(
      probed.map((at) => analytic[at]!),
      numeric,
    );
  });
  return Math.max(...(await Promise.all(errors)));
}

/**
 * @param engine the name that TensorFlow.js knows it by.
 * @param flatSteps in how many steps memory must stay flat, to the byte: what leaks in each shows after one.
 */
export function describeBackend(
  name: string,
  open: () => Promise<Backend>,
  { engine = name, flatSteps = 100 }: { readonly engine?: string; readonly flatSteps?: number } = {},
): void {
  describe(`backend ${name}`, () => {
    let backend: Backend;
    beforeAll(async () => {
      backend = await open();
    });

    it("is the one that was asked for", () => {
      expect(backend.name).toBe(name);
      expect(tf.getBackend()).toBe(engine);
    });

    it.each(BACKEND_CASES.map((each) => [each.title, each] as const))("computes and differentiates: %s", (_, each) =>
      scoped(async () => {
        const inputs = each.inputs();
        expect(await valueError(each, inputs)).toBeLessThan(TOLERANCE);
        expect(await gradientError(each, inputs)).toBeLessThan(GRADIENT_TOLERANCE);
      }),
    );

    it("sums and averages a million values without drifting", () =>
      scoped(async () => {
        // One running float32 sum would be off by a four-hundredth of it.
        const x = tf.fill([2 ** 18, 4], 0.1);
        for (const total of await columnSums(x).data()) expect(total / 2 ** 18).toBeCloseTo(0.1, 6);
        expect((await tf.sum(x).data())[0]! / 2 ** 20).toBeCloseTo(0.1, 6);
        expect((await tf.mean(x).data())[0]).toBeCloseTo(0.1, 6);
      }));

    it("multiplies, adds a bias and clips in one operation as in three", () =>
      scoped(async () => {
        for (const transposeB of [false, true]) {
          const b = tf.concat([tf.fill([50, 2], -1), tf.fill([50, 2], 1.5)], 0);
          const product = tf.fused.matMul({
            a: tf.ones([2, 100]),
            b: transposeB ? tf.transpose(b) : b,
            transposeB,
            bias: tf.tensor1d([10, -30]),
            activation: "relu",
          });
          expect([...(await product.data())]).toEqual([35, 0, 35, 0]);
        }
      }));

    it("uses new weights after a convolution ran with old ones", async () => {
      const x = tf.ones([1, 4, 4, 4]) as tf.Tensor4D;
      const bias = tf.zeros([4]) as tf.Tensor1D;
      const withWeight = async (value: number) =>
        (await conv2d(x, tf.fill([1, 1, 4, 4], value) as tf.Tensor4D, bias, { pad: 0 }).data())[0];
      expect([await withWeight(1), await withWeight(2), await withWeight(1)]).toEqual([4, 8, 4]);
    });

    it("trains to the same bits again, after other work and with other tensors in memory", async () => {
      const before = await trainSteps(10);
      const kept = otherWork();
      expect(await trainSteps(10)).toEqual(before);
      tf.dispose(kept);
      expect(before.last).toBeLessThan(before.first);
    });

    it(`keeps tensors and memory flat over ${flatSteps} steps`, async () => {
      let weights = STEP_SHAPES.map((shape, i) => draw(i, shape));
      const step = async (index: number) => {
        [, weights] = await trainStep(weights, draw(index, [4, 8, 8, 3]));
      };
      for (let i = 0; i < 5; i++) await step(i);
      // On a GPU also the bytes of buffers in use: what leaks is taken from those that are free, so their sum stays flat for long.
      const [inUse, bytes] = [tf.memory(), backend.memory().usedBytes];
      for (let i = 0; i < flatSteps; i++) await step(i);
      expect(tf.memory()).toEqual(inUse);
      expect(backend.memory().usedBytes).toBe(bytes);
      expect(() => backend.check()).not.toThrow();
    });
  });
}
