// Levels of conditioning augmentation: how far the low-resolution image of a cascade is noised before it is told to the next
// network (Ho et al. 2022, Section 4.2; Saharia et al. 2022, Section 2.4).

import { exactExp, exactExpm1 } from "../rng/exact-math.ts";
import type { Level } from "./parameterization.ts";

/** Of s from 0 to 1, by imagen-pytorch's linear schedule: log SNR = -log(expm1(u)), u = 1e-4 + 10 s^2. At 0 sigma is 0.01. */
export function augmentationLevel(s: number): Level {
  const u = 1e-4 + 10 * s * s;
  return { alpha: exactExp(-u / 2), sigma: Math.sqrt(-exactExpm1(-u)) };
}
