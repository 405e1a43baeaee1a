// SDEdit, Meng et al. 2022, Algorithm 1: an image with noise of a middle level, denoised from there.

import * as tf from "@tensorflow/tfjs-core";
import { mix } from "../diffusion/prediction.ts";
import type { Way } from "../pipeline/draw.ts";
import type { Bench, Task } from "./editor.ts";

/** Where a way is begun: the share of its steps that are walked. @param strength in (0, 1]. */
const beginning = ({ steps }: Way, strength: number): number => steps - Math.round(strength * steps);

/** x_t of the images in hand. */
function noised({ x, noise }: Bench, way: Way, position: number): tf.Tensor {
  const { alpha, sigma } = way.level(position);
  return tf.tidy(() => mix(x, alpha, noise(), sigma));
}

/** The images as they are begun with, at the spread of images. */
export const beginnings =
  (strength: number): Task =>
  async (bench) => {
    const way = await bench.way();
    const position = beginning(way, strength);
    const { alpha, sigma } = way.level(position);
    const x = noised(bench, way, position);
    const shown = tf.tidy(() => tf.div(x, Math.sqrt(alpha * alpha + sigma * sigma)));
    x.dispose();
    return shown;
  };

export const edited =
  (strength: number): Task =>
  async (bench) => {
    const way = await bench.way();
    const position = beginning(way, strength);
    const { noise, onStep } = bench;
    if (position === way.steps) return bench.x.clone();
    return way.walk(noised(bench, way, position), { part: [position, way.steps], noise, onStep });
  };
