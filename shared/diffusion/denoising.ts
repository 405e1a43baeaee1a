// What a network is trained on at a time of a process: x_t, what it sees of it, what it should give, and how much an error counts.
// Tensors are float32 [B, H, W, C]; a time is one a sample, or comes in with a recorded computation.

import * as tf from "@tensorflow/tfjs-core";
import { PlumeError } from "../errors.ts";
import { type Level, type Parameterization, scoreReading } from "./parameterization.ts";
import { at, mix, type Steps } from "./prediction.ts";
import type { NoiseProcess } from "./processes/process.ts";

type T = tf.Tensor;

/** "simple" weights as the parameterization does, "likelihood" the error of the score by g(t)^2: Song, Durkan et al. 2021. */
export type Weighting = "simple" | "likelihood";

export interface Denoising {
  /** x_t = alpha x_0 + sigma eps. */
  noised(x0: T, eps: T, t: Steps): T;
  /** x_t as the network sees it. */
  seen(x_t: T, t: Steps): T;
  /** What the network should give. */
  targetOf(x0: T, eps: T, t: Steps): T;
  /** Weight of |output - target|^2: one a time, or undefined for 1. */
  weight(t: Steps): number | T | undefined;
  /** x_0 from x_t and the network's output. */
  read(x_t: T, output: T, t: Steps): T;
}

/** @throws PlumeError INVALID_ARGUMENT for the likelihood's weights of a process that is no SDE. */
export function denoisingOf(
  process: Pick<NoiseProcess, "level" | "sde">,
  parameterization: Parameterization,
  weighting: Weighting,
): Denoising {
  const { input, target, reading } = parameterization;
  const { level } = process;
  const weight = weighting === "likelihood" ? likelihoodWeight(process, parameterization) : parameterization.weight;
  const levels = (value: (level: Level) => number, t: Steps) => at((time: number) => value(level(time)), t);
  const mixed = (x0: T, eps: T, t: Steps, own: Parameterization["target"]): T =>
    mix(
      x0,
      levels((l) => own(l).x0, t),
      eps,
      levels((l) => own(l).eps, t),
    );
  return {
    noised: (x0, eps, t) => mixed(x0, eps, t, ({ alpha, sigma }) => ({ x0: alpha, eps: sigma })),
    seen: (x_t, t) => (input ? tf.mul(x_t, levels(input, t)) : x_t),
    targetOf: (x0, eps, t) => mixed(x0, eps, t, target),
    weight: (t) => weight && at((time: number) => weight(level(time), time), t),
    read: (x_t, output, t) =>
      mix(
        x_t,
        levels((l) => reading(l).skip, t),
        output,
        levels((l) => reading(l).out, t),
      ),
  };
}

function likelihoodWeight({ sde }: Pick<NoiseProcess, "sde">, { reading }: Parameterization) {
  if (!sde)
    throw new PlumeError("INVALID_ARGUMENT", "the likelihood weights its loss by g(t)^2, which this process has not", {
      remedy: "set diffusion.process to vp, sub-vp or ve, or diffusion.weighting to simple",
    });
  return (level: Level, t: number): number => {
    const share = sde.diffusion(t) * scoreReading(level, reading(level)).out;
    return share * share;
  };
}
