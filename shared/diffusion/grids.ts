// The noise levels that a sampler visits, highest first, float64 [n]: sigma of x_0 + sigma eps.

import { exactExp, exactLog, exactPow } from "../rng/exact-math.ts";

type Grid = (n: number, sigmaMin: number, sigmaMax: number, rho?: number) => Float64Array;

const ramp = (n: number, f: (u: number) => number): Float64Array =>
  Float64Array.from({ length: n }, (_, i) => f(n === 1 ? 0 : i / (n - 1)));

/** Karras et al. 2022, Eq. 5. */
export const karras: Grid = (n, sigmaMin, sigmaMax, rho = 7) => {
  const [low, high] = [exactPow(sigmaMin, 1 / rho), exactPow(sigmaMax, 1 / rho)];
  return ramp(n, (u) => exactPow(high + u * (low - high), rho));
};

/** Uniform in log sigma ^ rho; rho 1 is k-diffusion's exponential grid. */
export const polyexponential: Grid = (n, sigmaMin, sigmaMax, rho = 1) => {
  const [low, high] = [exactLog(sigmaMin), exactLog(sigmaMax)];
  return ramp(n, (u) => exactExp(exactPow(1 - u, rho) * (high - low) + low));
};
