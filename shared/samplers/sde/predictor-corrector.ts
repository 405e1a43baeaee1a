// Predictor-corrector sampling: Song et al. 2021, Algorithm 1, in score_sde's order: the corrector first.

import { linspace } from "../../diffusion/schedules.ts";
import type { SdeWalk } from "../sampler.ts";
import type { Constrain } from "./constraints.ts";
import { type MakeRule, none } from "./update.ts";

interface Parts {
  readonly predictor: MakeRule;
  readonly corrector?: MakeRule;
  /** Whether the walk ends at the mean of the last move, without its noise. */
  readonly denoise?: boolean;
  /** Held after every move. */
  readonly constrain?: Constrain;
}

export const predictorCorrector = ({ predictor, corrector = none, denoise = true, constrain }: Parts): SdeWalk =>
  function* (score, x, process, { steps, noise }) {
    const rules = [corrector(process, steps), predictor(process, steps)];
    const { min, max } = process.span;
    let calls = 0;
    const draw = () => noise(calls++);
    for (const [i, t] of linspace(max, min, steps).entries()) {
      let update = { x, mean: x };
      for (const rule of rules) {
        update = rule({ x: update.x, t, score: (y) => score(y, t), noise: draw });
        if (constrain) update = constrain(update, process.level(t), draw());
      }
      x = denoise && i === steps - 1 ? update.mean : update.x;
      yield { x };
    }
  };
