// Distances between distributions, and what is told of samples. A case is known by what it is given and what it asks.

import { bitsPerDim } from "../../../shared/eval/bits-per-dim.ts";
import { squaredEnergyDistance } from "../../../shared/eval/energy-distance.ts";
import { frechetDistance, type Gaussian, gaussianOf } from "../../../shared/eval/frechet.ts";
import { inceptionScore } from "../../../shared/eval/inception-score.ts";
import { kernelDistance } from "../../../shared/eval/kernel-distance.ts";
import { kolmogorovSmirnov } from "../../../shared/eval/kolmogorov-smirnov.ts";
import { rbfKernel, squaredMmd } from "../../../shared/eval/mmd.ts";
import { manifoldOf, precisionRecall } from "../../../shared/eval/precision-recall.ts";
import type { Rows } from "../../../shared/eval/rows.ts";
import { wasserstein1 } from "../../../shared/eval/wasserstein.ts";
import { flat, type Nested, shapeOf } from "../arrays.ts";
import type { GoldenFamily } from "../family.ts";

interface Case {
  readonly params: Readonly<Record<string, number>>;
  has(key: string): boolean;
  rows(key: string): Rows;
}

/** By a key that the case expects. */
const ANSWERS: Readonly<Record<string, (golden: Case) => Record<string, unknown>>> = {
  frechet_distance: frechet,
  fid: frechet,
  kid: ({ rows }) => ({ kid: kernelDistance(rows("features_a"), rows("features_b")) }),
  score: ({ rows, params }) => ({ score: inceptionScore(rows("probs"), params.split_size!) }),
  precision: ({ rows, params }) => {
    const reference = manifoldOf(rows("reference"), params.nhood_size!);
    const samples = manifoldOf(rows("samples"), params.nhood_size!);
    const radii = { radii_reference: reference.radii, radii_samples: samples.radii };
    return { ...precisionRecall(reference, samples), ...radii };
  },
  bpd: ({ rows, params }) => ({
    bpd: Array.from(rows("logp_continuous_nats_data_in_minus1_1").values, (logp) =>
      bitsPerDim(logp, params.dims!, params.bins!),
    ),
  }),
  statistic: ({ rows }) => ({ statistic: kolmogorovSmirnov(rows("x").values, rows("y").values) }),
  mmd2: ({ rows, params }) => ({ mmd2: squaredMmd(rows("x"), rows("y"), rbfKernel(params.bandwidth!)) }),
  energy_distance_squared: ({ rows }) => ({ energy_distance_squared: squaredEnergyDistance(rows("x"), rows("y")) }),
  w1: ({ rows }) => ({ w1: wasserstein1(rows("x").values, rows("y").values) }),
};

export const metrics: GoldenFamily = {
  name: "metrics",
  float32: () => false,
  run({ params, inputs, expected }) {
    const rows = (key: string): Rows => {
      const nested = inputs[key] as Nested;
      return { values: flat(nested), d: shapeOf(nested)[1] ?? 1 };
    };
    const key = Object.keys(ANSWERS).find((name) => name in expected);
    if (key === undefined) throw new Error(`no metric gives ${Object.keys(expected).join(", ")}`);
    return ANSWERS[key]!({ params: params as Record<string, number>, has: (name) => name in inputs, rows });
  },
};

/** Of two Gaussians, or of the Gaussians of two sets of features; k-diffusion's adds eps to the covariances. */
function frechet({ has, rows, params }: Case): Record<string, unknown> {
  const gaussian = (moments: 1 | 2, features: string): Gaussian => {
    if (!has(`mu${moments}`)) return gaussianOf(rows(features));
    const mean = Float64Array.from(rows(`mu${moments}`).values);
    return { mean, covariance: Float64Array.from(rows(`sigma${moments}`).values), d: mean.length };
  };
  const [a, b] = [gaussian(1, "features_a"), gaussian(2, "features_b")];
  const distance = frechetDistance(a, b, params.eps);
  return { mu: a.mean, sigma: a.covariance, frechet_distance: distance, fid: distance };
}
