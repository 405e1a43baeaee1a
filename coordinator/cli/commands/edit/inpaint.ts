// plume edit inpaint: what a mask covers is painted anew, the rest stays.

import * as tf from "@tensorflow/tfjs-core";
import { PlumeError } from "../../../../shared/errors.ts";
import { inpainting } from "../../../../shared/samplers/known.ts";
import { HOLD_OPTIONS, holding } from "./hold.ts";
import { MASK_USAGE, readMasks } from "./masks.ts";
import { asSeen, type EditTask, type Scene, sizeOf } from "./task.ts";

export const inpaint: EditTask = {
  about: "paint what a mask covers anew, so that it fits what it does not cover",
  examples: [
    "--from-data test --indices 0,5,7 --mask center -o inpainted.png",
    "--images coat.png --mask hole.png --method repaint --sampler ancestral -o coat-again.png",
  ],
  options: [["--mask <mask>", MASK_USAGE], ...HOLD_OPTIONS],
  prepare(given) {
    const { mask } = given;
    if (mask === undefined)
      throw new PlumeError("INVALID_ARGUMENT", "plume edit inpaint has no --mask", {
        remedy: "for example --mask center",
      });
    return holding(given, "masked", async (scene) => {
      const kept = asSeen(keptOf(await readMasks(mask, scene), scene), scene);
      const size = sizeOf(scene);
      return ({ x, indices }) => {
        const own = kept.subarray(indices[0]! * size, (indices.at(-1)! + 1) * size);
        return { keep: (y, level, z) => inpainting(x, tf.tensor4d(own, x.shape)).keep(y, level, z) };
      };
    });
  },
};

/** A mask's other side, over the channels: float32 [n, height, width, channels]. */
const keptOf = (painted: Uint8Array, { image: { channels } }: Scene): Float32Array =>
  Float32Array.from({ length: painted.length * channels }, (_, k) => 1 - painted[Math.floor(k / channels)]!);
