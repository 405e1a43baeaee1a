// Ancestral sampling of a chain: Sohl-Dickstein et al. 2015, Sec. 2.2; with evidence, from the posterior: Sec. 2.5.

import type { ChainWalk } from "./sampler.ts";

export const reverseKernel: ChainWalk = function* (kernel, x_T, { T }, { random, seen }) {
  let x = x_T;
  for (let t = T - 1; t > 0; t--) {
    x = kernel(x, t).draw(random(t), seen);
    yield { x };
  }
};
