// plume edit inpaint: what a mask covers is painted anew, the rest stays.

import * as tf from "@tensorflow/tfjs-core";
import { inpainting } from "../../../../shared/samplers/known.ts";
import { HOLD_OPTIONS, holding } from "./hold.ts";
import { MASK_USAGE, readMasks } from "./masks.ts";
import { asSeen, type EditTask, sizeOf } from "./task.ts";

export const inpaint: EditTask = {
  about: "paint what a mask covers anew, so that it fits what it does not cover",
  examples: [
    "--from-data test --indices 0,5,7 --mask center -o inpainted.png",
    "--images coat.png --mask hole.png --method repaint --sampler ancestral -o coat-again.png",
  ],
  options: [["--mask <mask>", MASK_USAGE], ...HOLD_OPTIONS],
  prepare: (given) =>
    holding(given, "masked", async (scene) => {
      const masks = await readMasks(given.mask, scene);
      const { channels } = scene.image;
      const spread = new Float32Array(scene.pixels.length);
      for (let k = 0; k < spread.length; k++) spread[k] = 1 - masks[Math.floor(k / channels)]!;
      const kept = asSeen(spread, scene);
      const size = sizeOf(scene);
      return ({ x, indices }) => {
        const own = kept.subarray(indices[0]! * size, (indices.at(-1)! + 1) * size);
        return { keep: (y, level, z) => inpainting(x, tf.tensor4d(own, x.shape)).keep(y, level, z) };
      };
    }),
};
