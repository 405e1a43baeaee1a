// The analytic models of the golden files: data distributions whose optimal denoiser is known in closed form. Float64.

import { flat, type Nested } from "./arrays.ts";

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
