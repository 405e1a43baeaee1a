// Drawing images of which something is known. Each method is a sampler's own way from noise, with the known part put in.

import * as tf from "@tensorflow/tfjs-core";
import type { Level } from "../diffusion/parameterization.ts";
import { mix } from "../diffusion/prediction.ts";
import type { Way } from "../pipeline/draw.ts";
import { CLEAN, type Known } from "../samplers/known.ts";
import type { Bench, Task } from "./editor.ts";
import { inNullSpace } from "./null-space.ts";
import { type Resampling, stretchesOf } from "./resampling.ts";

export const HOLDS = {
  replacement: "what is known is put back after every step, noised as much: Song et al. 2021, App. I",
  repaint: "the same, and stretches of the way are walked again and again: Lugmayr et al. 2022, Algorithm 1",
  "null-space": "x_0 is only ever guessed where it is not known; fits every sampler: Wang et al. 2023, Eq. 13",
} as const;

export type HoldName = keyof typeof HOLDS;

/** Whether it changes x between the sampler's steps. */
export const needsSteps = (hold: HoldName): boolean => hold !== "null-space";

export interface Holding {
  readonly hold: HoldName;
  /** Of repaint. */
  readonly resampling: Resampling;
}

/** What is known of the images in hand. */
export type KnownOf = (bench: Bench) => Known;

/** What is known alone, and 0 where nothing is. */
export const onlyKnown =
  (knownOf: KnownOf): Task =>
  async (bench) =>
    tf.tidy(() => knownOf(bench).keep(tf.zerosLike(bench.x), CLEAN));

/** Images whose known part is that of the images in hand, to the bit where it is a mask's. */
export const held =
  (knownOf: KnownOf, { hold, resampling }: Holding): Task =>
  async (bench) => {
    const known = knownOf(bench);
    const way = await bench.way(hold === "null-space" ? inNullSpace(bench.denoise, known) : bench.denoise);
    const once = { times: 1, length: 1 };
    const x = await walkHeld(bench, way, known, hold === "repaint" ? resampling : once, needsSteps(hold));
    const end = tf.tidy(() => known.keep(x, CLEAN));
    x.dispose();
    return end;
  };

async function walkHeld(bench: Bench, way: Way, known: Known, resampling: Resampling, byStep: boolean) {
  const { noise } = bench;
  let x = tf.tidy(() => {
    const z = noise();
    return known.keep(tf.mul(z, way.prior), way.level(0), z);
  });
  const stretches = stretchesOf(way.steps, resampling);
  const total = stretches.reduce((sum, { from, to }) => sum + to - from, 0);
  let before = 0;
  for (const [i, { from, to }] of stretches.entries()) {
    const onStep = (done: number) => bench.onStep(before + done, total);
    x = await way.walk(x, { part: [from, to], noise, onStep, ...(byStep && { known }) });
    before += to - from;
    const next = stretches[i + 1];
    if (next) x = changed(x, () => noisier(x, way.level(to), way.level(next.from), noise()));
  }
  return x;
}

function changed(x: tf.Tensor, change: () => tf.Tensor): tf.Tensor {
  const next = tf.tidy(change);
  x.dispose();
  return next;
}

/** q(x_t | x_s) from less noise to more: Lugmayr et al. 2022, Eq. 1, over any number of steps. */
function noisier(x: tf.Tensor, from: Level, to: Level, z: tf.Tensor): tf.Tensor {
  const share = to.alpha / from.alpha;
  return mix(x, share, z, Math.sqrt(to.sigma * to.sigma - share * share * from.sigma * from.sigma));
}
