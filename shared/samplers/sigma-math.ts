// Host formulas that walks through sigma share. Their time is t = -log sigma, the half log-SNR of Lu et al. 2022.

import { exactExp, exactExpm1, exactLog } from "../rng/exact-math.ts";

export const timeOf = (sigma: number): number => -exactLog(sigma);
export const sigmaAt = (t: number): number => exactExp(-t);

/** The sigma whose time is the share r of the way between those of two others. */
export const between = (from: number, to: number, r: number): number =>
  sigmaAt(timeOf(from) + r * (timeOf(to) - timeOf(from)));

/** A step to `to` as one down to `down` and noise of `up` on top: down^2 + up^2 = to^2. */
export interface Split {
  readonly down: number;
  readonly up: number;
}

/** The ancestral step's noise times eta: Song et al. 2021, Eq. 16, in sigma. @param floor down goes no deeper. */
export function ancestralSplit(from: number, to: number, eta: number, floor = 0): Split {
  if (eta === 0) return { down: to, up: 0 };
  const up = Math.min(to, eta * Math.sqrt((to * to * (from * from - to * to)) / (from * from)));
  const down = Math.sqrt(to * to - up * up);
  return down > floor ? { down, up } : { down: floor, up: Math.sqrt(to * to - floor * floor) };
}

/** The noise of the diffusion SDE times eta: Lu et al. 2022b, Eq. 18; a step of 1 + eta times the length in t. */
export function sdeSplit(from: number, to: number, eta: number): Split {
  if (eta === 0) return { down: to, up: 0 };
  const eta_h = eta * (timeOf(to) - timeOf(from));
  return { down: to * exactExp(-eta_h), up: to * Math.sqrt(-exactExpm1(-2 * eta_h)) };
}

/** e^z - 1, and what is left of it when more terms of its series are taken away: (phi_k - 1/k!) / z. */
export function phis(z: number): readonly [number, number, number] {
  const phi1 = exactExpm1(z);
  const phi2 = phi1 / z - 1;
  return [phi1, phi2, phi2 / z - 0.5];
}
