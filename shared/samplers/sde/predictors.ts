// One step back in time: Song et al. 2021, Section 4.1 and App. E and F.

import * as tf from "@tensorflow/tfjs-core";
import { at } from "../../diffusion/prediction.ts";
import { eulerSteps, type LinearNoise } from "../../diffusion/processes/process.ts";
import { PlumeError } from "../../errors.ts";
import { reverseDrift } from "./reverse.ts";
import { type MakeRule, type Rule, spread } from "./update.ts";

const backward =
  (steps: LinearNoise, flow: boolean): Rule =>
  ({ x, t, score, noise }) => {
    const mean = tf.sub(x, reverseDrift(steps, x, score(x), t, flow));
    return flow ? { x: mean, mean } : spread(mean, noise(), at(steps.diffusion, t));
  };

/** The reverse SDE in steps of 1 / N. */
export const eulerMaruyama: MakeRule = ({ sde }, N) => backward(eulerSteps(sde, N), false);

/** The reverse SDE, discretised as the forward one is: Eq. 46. @param flow the probability flow instead, without noise. */
export const reverseDiffusion =
  (flow = false): MakeRule =>
  ({ sde }, N) =>
    backward(sde.discrete(N), flow);

/** DDPM's and SMLD's own step. @throws PlumeError INVALID_ARGUMENT for an SDE that has none, sub-VP. */
export const ancestralSampling: MakeRule = ({ sde }, N) => {
  const { ancestral } = sde.discrete(N);
  if (!ancestral)
    throw new PlumeError("INVALID_ARGUMENT", "ancestral sampling is not known for this process", {
      remedy: "use vp or ve, or another predictor",
    });
  return ({ x, t, score, noise }) => {
    const of = (key: "scale" | "gain" | "spread") => at((time: number) => ancestral(time)[key], t);
    const mean = tf.mul(tf.add(x, tf.mul(score(x), of("gain"))), of("scale"));
    return spread(mean, noise(), of("spread"));
  };
};
