// Log likelihoods in bits a dimension, of data with so many levels.

import { exactLog } from "../rng/exact-math.ts";

/**
 * @param logp in nats, of x = 2 (u + v) / bins - 1: u one of `bins` levels, v uniform in [0, 1) (Theis et al. 2016).
 * That density's unit is bins / 2 levels: hence the constant, 7 for bytes.
 */
export const bitsPerDim = (logp: number, dims: number, bins: number): number =>
  (exactLog(bins / 2) - logp / dims) / Math.LN2;
