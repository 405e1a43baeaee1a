// How fast the exponential moving average of the weights forgets, in the forms of the field.

import { exactPow } from "../rng/exact-math.ts";

/** DDPM's and EMA with num_updates: min(decay, (1 + n) / (10 + n)) after n updates. */
export const warmedUpDecay = (decay: number, n: number): number => Math.min(decay, (1 + n) / (10 + n));

/** k-diffusion's EMAWarmup: 1 - (1 + n / invGamma)^-power, at most maxValue. */
export function powerDecay(
  n: number,
  { invGamma, power, maxValue }: { invGamma: number; power: number; maxValue: number },
): number {
  return Math.min(maxValue, 1 - exactPow(1 + n / invGamma, -power));
}

/** EDM (Karras et al. 2022, training_loop.py): half-life in images, ramped up to a share of the images seen. */
export function halfLifeDecay(batch: number, halfLife: number, imagesSeen: number, rampUp: number | null): number {
  const effective = rampUp === null ? halfLife : Math.min(halfLife, imagesSeen * rampUp);
  return exactPow(0.5, batch / Math.max(effective, 1e-8));
}

/** EDM's ramp-up ratio. */
const RAMP_UP = 0.05;

export interface EmaSpec {
  readonly ema: number;
  readonly emaHalfLife?: number | undefined;
  readonly globalBatch: number;
}

/** The decay of the job's EMA at its n-th update (n = 1 after the first step). */
export function emaDecay({ ema, emaHalfLife, globalBatch }: EmaSpec, n: number): number {
  if (emaHalfLife !== undefined) return halfLifeDecay(globalBatch, emaHalfLife, n * globalBatch, RAMP_UP);
  return warmedUpDecay(ema, n);
}
