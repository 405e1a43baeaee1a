// The probability-flow ODE: images from noise without any randomness on the way, and back. Song et al. 2021, Section 4.3.

import type { Sde } from "../../diffusion/processes/process.ts";
import { linspace } from "../../diffusion/schedules.ts";
import { partOf, type Score, type SdeWalk } from "../sampler.ts";
import { reverseDrift } from "./reverse.ts";
import { type Field, rk45, type Tolerances } from "./rk45.ts";

/** Eq. 13. */
export const flowField =
  (sde: Sde, score: Score): Field =>
  (x, t) =>
    reverseDrift(sde, x, score(x, t), t, true);

/** From the prior, or from where a part begins, to images. */
export const decoding =
  (tolerances?: Tolerances): SdeWalk =>
  (score, x, { sde, span }, { steps, ...options }) => {
    const [from] = partOf(options, steps);
    return rk45(flowField(sde, score), x, linspace(span.max, span.min, steps)[from]!, span.min, tolerances);
  };

/** From images to the noise that `decoding` makes them of. */
export const encoding =
  (tolerances?: Tolerances): SdeWalk =>
  (score, x, { sde, span }) =>
    rk45(flowField(sde, score), x, span.min, span.max, tolerances);
