// The bound on the log likelihood of Sohl-Dickstein et al. 2015 (Eq. 14), at random steps.

import { excessBits } from "../diffusion/nonequilibrium/bound.ts";
import type { ChainObjective } from "./objective.ts";

/** Bits a pixel beyond what the prior needs: below 0 where something was learned. */
export const trajectoryBound: ChainObjective = ({ T, entropies }, x0, reverse) => ({
  loss: excessBits(reverse.divergence(x0), T, entropies),
});
