import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { qPosterior, qSample } from "../../shared/diffusion/gaussian.ts";
import { normalKl } from "../../shared/diffusion/likelihood.ts";
import {
  binomialKernel,
  binomialMarginal,
  binomialPosteriorLogit,
  binomialReverseLogit,
  binomialReverseStep,
} from "../../shared/diffusion/nonequilibrium/binomial.ts";
import {
  binomialDivergence,
  binomialEntropies,
  binomialEntropy,
  excessBits,
  gaussianEntropies,
} from "../../shared/diffusion/nonequilibrium/bound.ts";
import { reverseKernel, reverseStep } from "../../shared/diffusion/nonequilibrium/gaussian.ts";
import {
  binomialBetas,
  drawnStep,
  gaussianBetas,
  temporalBasis,
} from "../../shared/diffusion/nonequilibrium/schedule.ts";
import { bumpsAt, temporalReadout } from "../../shared/diffusion/nonequilibrium/temporal.ts";
import { type Process, processOf } from "../../shared/diffusion/process.ts";
import { integers, normals, PURPOSE, uniforms } from "../../shared/rng/stream.ts";
import { testBackend } from "../support/backend.ts";

await testBackend();

const key = (index: number) => ({ seed: 5, purpose: PURPOSE.canary, step: 0, index });
const noise = (index: number, shape: number[]) =>
  tf.tensor(
    normals(
      key(index),
      shape.reduce((a, b) => a * b),
    ),
    shape,
  );
const drawn = (index: number, n: number, T: number) => Array.from(uniforms(key(index), n), (u) => drawnStep(u, T));
const close = (got: tf.Tensor, expected: ArrayLike<number>, digits = 5) =>
  Array.from(got.dataSync()).forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i]!, digits);
  });

describe("the nonequilibrium process", () => {
  it("draws every step but the first, each as often", () => {
    const counts = new Array<number>(8).fill(0);
    for (const t of drawn(0, 7000, 8)) counts[t]!++;
    expect(counts[0]).toBe(0);
    for (const count of counts.slice(1)) expect(count).toBeGreaterThan(850);
  });

  it("reads each sample's weights at its own step", () => {
    const [basis, T, n] = [temporalBasis(20, 5), 20, 5];
    const output = noise(1, [3, 2, 2, 2 * n]);
    const steps = [4, 9, T - 1];
    const time = steps.map((t) => -1 + (2 * t) / (T - 1));
    const parts = temporalReadout(bumpsAt(tf.tensor1d(time), n), output, 2);
    const weights = output.arraySync() as number[][][][];
    steps.forEach((t, i) => {
      parts.forEach((part, p) => {
        const expected = weights[i]!.flat().map((all) =>
          all.slice(p * n, (p + 1) * n).reduce((sum, w, k) => sum + w * basis.values[t * n + k]!, 0),
        );
        close(tf.slice(part, [i, 0, 0, 0], [1, 2, 2, 1]), expected);
      });
    });
  });
});

describe("the Gaussian bound", () => {
  const T = 40;
  const process = processOf(gaussianBetas(T));
  const shape = [(T - 1) * 100, 1, 1, 2];
  const evenly = Array.from({ length: shape[0]! }, (_, i) => 1 + (i % (T - 1)));

  /** Mean bits above the prior that a network of these outputs needs for N(0, 1), all steps equally often. */
  function objective(muCoeff: tf.Tensor, betaCoeff: tf.Tensor): tf.Scalar {
    const x0 = noise(2, shape);
    const x_t = qSample(process, x0, evenly, noise(3, shape));
    const model = reverseKernel(process, x_t, evenly, muCoeff, betaCoeff);
    const divergence = normalKl(qPosterior(process, x0, x_t, evenly), model);
    return tf.mean(excessBits(divergence, T, gaussianEntropies(process))) as tf.Scalar;
  }

  function bits(muCoeff: number, betaCoeff: number): number {
    return tf.tidy(() => {
      const [mu, beta] = [tf.fill(shape, muCoeff), tf.fill(shape, betaCoeff)];
      return objective(mu, beta).dataSync()[0]!;
    });
  }

  it("is tight where the reverse kernel is exact: a silent network on white data", () => {
    const { start, end } = gaussianEntropies(process);
    // T steps stand for the T - 1 that are learned.
    const exact = ((T / (T - 1) - 1) * (end - start) * 2) / Math.LN2;
    expect(bits(0, 0)).toBeCloseTo(exact, 1);
    expect(bits(0.2, 0)).toBeGreaterThan(exact + 0.5);
    expect(bits(0, 3)).toBeGreaterThan(exact + 0.5);
    expect(bits(0, -3)).toBeGreaterThan(exact + 0.5);
  });

  it("has gradients in both of the network's parts that point to less of it", () => {
    const loss = (muCoeff: tf.Tensor, betaCoeff: tf.Tensor) =>
      objective(tf.mul(tf.ones(shape), muCoeff), tf.mul(tf.ones(shape), betaCoeff));
    const gradients = tf.grads(loss)([tf.scalar(0.2), tf.scalar(3)]);
    for (const gradient of gradients) expect(gradient.dataSync()[0]).toBeGreaterThan(0);
  });
});

describe("a Gaussian step back with evidence", () => {
  const [mean, variance] = [tf.tensor4d([1, 2], [1, 1, 1, 2]), tf.tensor4d([0.5, 2], [1, 1, 1, 2])];
  const observed = tf.tensor4d([-1, 5], [1, 1, 1, 2]);
  const still = tf.zeros([1, 1, 1, 2]);

  it("weighs the model and the observation by their precisions", () => {
    const x = reverseStep({ mean, variance }, still, { observed, sigma: 1 });
    close(x, [(1 * 2 - 1) / 3, (2 * 0.5 + 5) / 1.5]);
  });

  it("is the observation itself where it is exact, and the plain step where it says nothing", () => {
    close(reverseStep({ mean, variance }, still, { observed, sigma: 0 }), [-1, 5]);
    close(reverseStep({ mean, variance }, still, { observed, sigma: 1e6 }), [1, 2]);
  });

  it("keeps what is known and draws the rest", () => {
    const known = tf.tensor4d([1, 0], [1, 1, 1, 2]);
    close(reverseStep({ mean, variance }, tf.ones([1, 1, 1, 2]), { observed, known }), [-1, 2 + Math.SQRT2]);
  });
});

describe("the binomial process", () => {
  const T = 12;
  const process = processOf(binomialBetas(T));
  const bits = tf.tensor1d([0, 1]);

  it("has the marginal that its kernel comes to, step after step", () => {
    let p: tf.Tensor = bits;
    for (let t = 0; t < T; t++) {
      p = binomialKernel(process, p, t);
      close(binomialMarginal(process, bits, t), p.dataSync());
    }
  });

  it("has the posterior that counting all paths gives", () => {
    for (const t of [1, 5, 11])
      for (const x0 of [0, 1])
        for (const x_t of [0, 1]) {
          const before = binomialMarginal(process, tf.scalar(x0), t - 1).dataSync()[0]!;
          const joint = [1 - before, before].map((p, x) => {
            const one = binomialKernel(process, tf.scalar(x), t).dataSync()[0]!;
            return p * (x_t === 1 ? one : 1 - one);
          });
          const logit = binomialPosteriorLogit(process, tf.scalar(x0), tf.scalar(x_t), t);
          close(tf.sigmoid(logit), [joint[1]! / (joint[0]! + joint[1]!)]);
        }
  });

  it("has a reverse kernel that is the forward one where the network is silent, and is drawn from", () => {
    const logit = binomialReverseLogit(process, bits, 3, tf.zeros([2]));
    close(tf.sigmoid(logit), binomialKernel(process, bits, 3).dataSync());
    const n = 4000;
    const x = binomialReverseStep(
      tf.fill([n], Math.log(0.3 / 0.7)),
      tf.tensor1d(Float32Array.from(uniforms(key(8), n))),
    );
    expect(tf.mean(x).dataSync()[0]).toBeCloseTo(0.3, 1);
    expect(binomialEntropy(0.5)).toBeCloseTo(Math.LN2, 12);
  });

  it("bounds a heartbeat's log likelihood from above, and closely, with the best factorial kernel", () => {
    const n = 2000;
    const heartbeat = processOf(binomialBetas(200));
    const phases = integers(key(9), n, 5);
    const pulses = (phase: number) => Array.from({ length: 20 }, (_, i) => Number(i % 5 === phase));
    const x0 = tf.tensor4d(Array.from(phases).flatMap(pulses), [n, 1, 20, 1]);
    const t = drawn(10, n, 200);
    const u = tf.tensor4d(Float32Array.from(uniforms(key(11), n * 20)), [n, 1, 20, 1]);
    const x_t = tf.cast(tf.less(u, binomialMarginal(heartbeat, x0, t)), "float32");
    const p = bestReverse(heartbeat, pulses, x_t, t);
    const divergence = binomialDivergence(
      binomialPosteriorLogit(heartbeat, x0, x_t, t),
      tf.log(tf.div(p, tf.sub(1, p))),
    );
    const entropies = binomialEntropies(heartbeat);
    const excess = tf.mean(excessBits(divergence, 200, entropies)).dataSync()[0]!;
    const total = 20 * (entropies.prior / Math.LN2 + excess);
    expect(total).toBeGreaterThan(Math.log2(5));
    expect(total).toBeLessThan(Math.log2(5) + 0.5);
  });
});

/** q(x_(t-1) = 1 | x_t) bit by bit: the posteriors of all five sequences, weighed by what x_t says of each. */
function bestReverse(process: Process, pulses: (phase: number) => number[], x_t: tf.Tensor, t: number[]): tf.Tensor {
  const sequences = [0, 1, 2, 3, 4].map((phase) => tf.tensor4d(pulses(phase), [1, 1, 20, 1]));
  const logs = sequences.map((x0) => {
    const one = binomialMarginal(process, tf.mul(x0, tf.ones([t.length, 1, 1, 1])), t);
    return tf.sum(tf.log(tf.where(tf.cast(x_t, "bool"), one, tf.sub(1, one))), [1, 2, 3]);
  });
  const weights = tf.softmax(tf.stack(logs, 1));
  return sequences
    .map((x0, k) =>
      tf.mul(
        tf.sigmoid(binomialPosteriorLogit(process, x0, x_t, t)),
        tf.reshape(tf.slice(weights, [0, k], [-1, 1]), [-1, 1, 1, 1]),
      ),
    )
    .reduce((sum, part) => tf.add(sum, part));
}
