// What every compute backend must do before plume trains on it: each operation that models use, its value against plain
// float64 loops and its gradient against central differences of those loops, never of the backend itself; the same bits
// after whatever work; tensors and memory flat.

import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../shared/backends/backend.ts";
import { columnSums, conv2d } from "../../shared/nn/fused.ts";
import { BACKEND_CASES, type BackendCase, random } from "./backend-cases.ts";
import type { Nd } from "./backend-reference.ts";
import { draw, otherWork, STEP_SHAPES, trainStep, trainSteps } from "./backend-steps.ts";

/** float32 sums of some hundred terms. */
const TOLERANCE = 3e-5;
const GRADIENT_TOLERANCE = 2e-4;
/** Elements of every input whose gradient is measured. */
const PROBES = 24;

const toNd = (x: tf.Tensor): Nd => ({ shape: x.shape, data: Float64Array.from(x.dataSync()) });

const worst = (got: ArrayLike<number>, expected: ArrayLike<number>): number =>
  Array.from(expected).reduce((most, y, i) => Math.max(most, Math.abs(got[i]! - y) / (1 + Math.abs(y))), 0);

function valueError({ op, reference }: BackendCase, inputs: tf.Tensor[]): number {
  const got = op(...inputs);
  const expected = reference(...inputs.map(toNd));
  expect(got.shape).toEqual(expected.shape);
  return worst(got.dataSync(), expected.data);
}

function gradientError({ op, reference }: BackendCase, inputs: tf.Tensor[]): number {
  const weights = random(...op(...inputs).shape);
  const w = weights.dataSync();
  const gradients = tf.grads((...xs: tf.Tensor[]) => tf.sum(tf.mul(op(...xs), weights)) as tf.Scalar)(inputs);
  const plain = inputs.map(toNd);
  const value = (xs: Nd[]) => reference(...xs).data.reduce((total, y, i) => total + y * w[i]!, 0);
  const eps = 1e-5;
  return inputs.reduce((most, input, k) => {
    expect(gradients[k]!.shape).toEqual(input.shape);
    const { shape, data } = plain[k]!;
    const probed = Array.from({ length: Math.min(PROBES, data.length) }, (_, trial) => (trial * 7919) % data.length);
    const moved = (at: number, delta: number) => {
      const copy = data.slice();
      copy[at]! += delta;
      return value(plain.map((x, j) => (j === k ? { shape, data: copy } : x)));
    };
    const numeric = probed.map((at) => (moved(at, eps) - moved(at, -eps)) / (2 * eps));
    const analytic = gradients[k]!.dataSync();
    return Math.max(
      most,
      worst(
        probed.map((at) => analytic[at]!),
        numeric,
      ),
    );
  }, 0);
}

/** @param engine the name that TensorFlow.js knows it by. */
export function describeBackend(name: string, open: () => Promise<Backend>, engine: string = name): void {
  describe(`backend ${name}`, () => {
    let backend: Backend;
    beforeAll(async () => {
      backend = await open();
    });

    it("is the one that was asked for", () => {
      expect(backend.name).toBe(name);
      expect(tf.getBackend()).toBe(engine);
    });

    it.each(BACKEND_CASES.map((each) => [each.title, each] as const))("computes and differentiates: %s", (_, each) => {
      tf.tidy(() => {
        const inputs = each.inputs();
        expect(valueError(each, inputs)).toBeLessThan(TOLERANCE);
        expect(gradientError(each, inputs)).toBeLessThan(GRADIENT_TOLERANCE);
      });
    });

    it("sums and averages millions of values without drifting", () => {
      tf.tidy(() => {
        const x = tf.fill([2 ** 22, 4], 0.1);
        for (const total of columnSums(x).dataSync()) expect(total / 2 ** 22).toBeCloseTo(0.1, 6);
        expect(tf.sum(x).dataSync()[0]! / 2 ** 24).toBeCloseTo(0.1, 6);
        expect(tf.mean(x).dataSync()[0]).toBeCloseTo(0.1, 6);
      });
    });

    it("multiplies, adds a bias and clips in one operation as in three", () => {
      tf.tidy(() => {
        for (const transposeB of [false, true]) {
          const b = tf.concat([tf.fill([50, 2], -1), tf.fill([50, 2], 1.5)], 0);
          const product = tf.fused.matMul({
            a: tf.ones([2, 100]),
            b: transposeB ? tf.transpose(b) : b,
            transposeB,
            bias: tf.tensor1d([10, -30]),
            activation: "relu",
          });
          expect([...product.dataSync()]).toEqual([35, 0, 35, 0]);
        }
      });
    });

    it("uses new weights after a convolution ran with old ones", () => {
      const x = tf.ones([1, 4, 4, 4]) as tf.Tensor4D;
      const bias = tf.zeros([4]) as tf.Tensor1D;
      const withWeight = (value: number) =>
        conv2d(x, tf.fill([1, 1, 4, 4], value) as tf.Tensor4D, bias, { pad: 0 }).dataSync()[0];
      expect([withWeight(1), withWeight(2), withWeight(1)]).toEqual([4, 8, 4]);
    });

    it("trains to the same bits again, after other work and with other tensors in memory", () => {
      const before = trainSteps(10);
      const kept = otherWork();
      expect(trainSteps(10)).toEqual(before);
      tf.dispose(kept);
      expect(before.last).toBeLessThan(before.first);
    });

    it("keeps tensors and memory flat over 100 steps", () => {
      let weights = STEP_SHAPES.map((shape, i) => draw(i, shape));
      const step = (index: number) => {
        [, weights] = trainStep(weights, draw(index, [4, 8, 8, 3]));
      };
      for (let i = 0; i < 5; i++) step(i);
      const [tensors, bytes] = [tf.memory().numTensors, backend.memory().usedBytes];
      for (let i = 0; i < 100; i++) step(i);
      expect(tf.memory().numTensors).toBe(tensors);
      expect(backend.memory().usedBytes).toBe(bytes);
      expect(() => backend.checkMemory()).not.toThrow();
    });
  });
}
