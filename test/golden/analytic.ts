// The analytic models of the golden files: data distributions whose optimal denoiser is known in closed form. Float64.

import * as tf from "@tensorflow/tfjs-core";
import type { SigmaDenoiser } from "../../shared/samplers/sampler.ts";
import { flat, type Nested, tensorOf } from "./arrays.ts";

export type AnalyticModel =
  | { readonly type: "gaussian"; readonly mean: Nested; readonly var: Nested }
  | { readonly type: "gmm"; readonly weights: number[]; readonly means: Nested[]; readonly vars: number[] };

/** eps for x_t = a x_0 + s n, one sample of d values: eps = (x - a D(x/a; s/a)) / s. */
export function analyticEps(model: AnalyticModel, x: readonly number[], a: number, s: number): number[] {
  const denoised = analyticDenoised(
    model,
    x.map((v) => v / a),
    s / a,
  );
  return x.map((v, i) => (v - a * denoised[i]!) / s);
}

/** D(x; sigma) for a batch, evaluated on the host. */
export const analyticDenoiser =
  (model: AnalyticModel): SigmaDenoiser =>
  (x, sigma) =>
    tf.tensor(
      eachSample(x, (sample) => analyticDenoised(model, sample, sigma)),
      x.shape,
      "float32",
    );

/** A function of one sample, for every sample of a batch. */
export function eachSample(x: tf.Tensor, f: (sample: number[]) => number[]): number[] {
  const values = [...x.dataSync()];
  const size = values.length / x.shape[0]!;
  return Array.from({ length: x.shape[0]! }, (_, i) => f(values.slice(i * size, (i + 1) * size))).flat();
}

/** Where the probability-flow ODE of a Gaussian leads x from one sigma to another: its quantiles stay. */
export function exactFlow(model: AnalyticModel, x: tf.Tensor, from: number, to: number): number[] {
  if (model.type !== "gaussian") throw new Error("only a Gaussian's flow has a closed form");
  const [mean, variance] = [flat(model.mean), flat(model.var)];
  return eachSample(x, (sample) =>
    sample.map(
      (v, i) => mean[i]! + (v - mean[i]!) * Math.sqrt((variance[i]! + to * to) / (variance[i]! + from * from)),
    ),
  );
}

/** D(x; sigma) for x = x_0 + sigma n, one sample of d values. */
export function analyticDenoised(model: AnalyticModel, x: readonly number[], sigma: number): number[] {
  const noise = sigma * sigma;
  if (model.type === "gaussian") {
    const [mean, variance] = [flat(model.mean), flat(model.var)];
    return x.map((v, i) => (variance[i]! * v + noise * mean[i]!) / (variance[i]! + noise));
  }
  const d = x.length;
  const means = model.means.map(flat);
  const logits = model.weights.map((weight, k) => {
    const total = model.vars[k]! + noise;
    const distance = x.reduce((sum, v, i) => sum + (v - means[k]![i]!) ** 2, 0);
    return Math.log(weight) - (d / 2) * Math.log(total) - distance / (2 * total);
  });
  const top = Math.max(...logits);
  const shares = logits.map((l) => Math.exp(l - top));
  const sum = shares.reduce((acc, r) => acc + r, 0);
  return x.map((v, i) =>
    shares.reduce(
      (acc, r, k) => acc + ((r / sum) * (model.vars[k]! * v + noise * means[k]![i]!)) / (model.vars[k]! + noise),
      0,
    ),
  );
}

/** grad log p(x_t) for x_t = a x_0 + s n, float32 [B, H, W, C], in operations that can be differentiated. */
export function analyticScore(model: AnalyticModel, x: tf.Tensor, a: number, s: number): tf.Tensor {
  if (model.type === "gaussian") {
    const variance = tf.add(tf.mul(tensorOf(model.var), a * a), s * s);
    return tf.div(tf.sub(tf.mul(tensorOf(model.mean), a), x), variance);
  }
  const [B, K] = [x.shape[0]!, model.weights.length];
  const d = x.size / B;
  const totals = model.vars.map((v) => a * a * v + s * s);
  const towards = tf.sub(tf.mul(tf.reshape(tensorOf(model.means), [1, K, d]), a), tf.reshape(x, [B, 1, d]));
  const constants = totals.map((total, k) => Math.log(model.weights[k]!) - (d / 2) * Math.log(total));
  const distances = tf.div(tf.sum(tf.square(towards), 2), tf.tensor1d(totals.map((total) => 2 * total)));
  const shares = tf.div(tf.softmax(tf.sub(tf.tensor1d(constants), distances)), tf.tensor1d(totals));
  return tf.reshape(tf.sum(tf.mul(towards, tf.reshape(shares, [B, K, 1])), 1), x.shape);
}
