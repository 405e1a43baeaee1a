// Denoisers D(x; sigma) of x = x_0 + sigma eps around a network, as consistency models have them: Song et al. 2023, App. C.
// Levels are host numbers, float64; a sample may have a level of its own.

import * as tf from "@tensorflow/tfjs-core";
import { exactLog } from "../rng/exact-math.ts";
import type { Level, Parameterization } from "./parameterization.ts";
import { at, mix, type Steps } from "./prediction.ts";

type T = tf.Tensor;

/** D(x; sigma) = skip x + out F(input x). */
type Scalings = Pick<Parameterization, "reading" | "input">;

/** What the authors' network is told of sigma: 1000 times EDM's c_noise. */
export const consistencyLabel = (sigma: number): number => (1000 * exactLog(sigma + 1e-44)) / 4;

/** x float32 [B, H, W, C] at sigma, one for all samples or one a sample, to x_0. Inside a tidy scope. */
export type LevelDenoiser = (x: T, sigma: Steps) => T;

/** F(x; label) of x as it is scaled; what it is told of sigma is a number, or float32 [B, 1, 1, 1]. */
export type NetworkOutput = (x: T, label: number | T) => T;

/** @param label what F is told of sigma. */
export function preconditioned(
  F: NetworkOutput,
  { reading, input }: Scalings,
  label: (sigma: number) => number = consistencyLabel,
): LevelDenoiser {
  const level = (sigma: number): Level => ({ alpha: 1, sigma });
  return (x, sigma) => {
    const seen = input
      ? tf.mul(
          x,
          at((s) => input(level(s)), sigma),
        )
      : x;
    return mix(
      x,
      at((s) => reading(level(s)).skip, sigma),
      F(seen, at(label, sigma)),
      at((s) => reading(level(s)).out, sigma),
    );
  };
}

const snr = (sigma: number): number => 1 / (sigma * sigma);

/** lambda(sigma), the weight of |D - x_0|^2. */
export const WEIGHTINGS = {
  uniform: () => 1,
  snr,
  "snr+1": (sigma) => snr(sigma) + 1,
  /** EDM's: 1 / c_out^2. */
  karras: (sigma, sigmaData) => snr(sigma) + snr(sigmaData),
  "truncated-snr": (sigma) => Math.max(snr(sigma), 1),
} satisfies Record<string, (sigma: number, sigmaData: number) => number>;

export type WeightingName = keyof typeof WEIGHTINGS;
