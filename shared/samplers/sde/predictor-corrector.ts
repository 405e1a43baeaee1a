// Predictor-corrector sampling: Song et al. 2021, Algorithm 1, in score_sde's order: the corrector first.

import type * as tf from "@tensorflow/tfjs-core";
import type { Level } from "../../diffusion/parameterization.ts";
import { linspace } from "../../diffusion/schedules.ts";
import type { Known } from "../known.ts";
import { partOf, type SdeWalk } from "../sampler.ts";
import { type MakeRule, none, type Update } from "./update.ts";

interface Parts {
  readonly predictor: MakeRule;
  readonly corrector?: MakeRule;
  /** Whether the walk ends at the mean of the last move, without its noise. */
  readonly denoise?: boolean;
}

export const predictorCorrector = ({ predictor, corrector = none, denoise = true }: Parts): SdeWalk =>
  function* (score, x, process, { steps, noise, known, ...options }) {
    const rules = [corrector(process, steps), predictor(process, steps)];
    const { min, max } = process.span;
    const [from, to] = partOf(options, steps);
    let calls = 0;
    const draw = () => noise(calls++);
    for (const [i, t] of linspace(max, min, steps).subarray(from, to).entries()) {
      let update = { x, mean: x };
      for (const rule of rules) {
        update = rule({ x: update.x, t, score: (y) => score(y, t), noise: draw });
        if (known) update = held(known, update, process.level(t), draw());
      }
      x = denoise && from + i === steps - 1 ? update.mean : update.x;
      yield { x };
    }
  };

const held = (known: Known, { x, mean }: Update, level: Level, z: tf.Tensor): Update => ({
  x: known.keep(x, level, z),
  mean: known.keep(mean, level),
});
