// plume edit image-to-image: an image with noise, denoised again, as the same or as another class.

import { beginnings, edited } from "../../../../shared/editing/sdedit.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import { decimal } from "../../options.ts";
import { asPixels, type EditTask } from "./task.ts";

export const imageToImage: EditTask = {
  about: "noise images and denoise them again, as another class if you like (SDEdit, Meng et al. 2022)",
  examples: ["--from-data test --indices 0,5,7 --strength 0.6 --class Bag -o bags.png"],
  options: [["--strength <s>", "share of the steps that are walked: near 0 keeps an image, 1 forgets it", "0.5"]],
  prepare(given) {
    const strength = decimal("--strength", given.strength!, 0);
    if (strength === 0 || strength > 1)
      throw new PlumeError("INVALID_ARGUMENT", `--strength ${given.strength} is not in (0, 1]`, {
        remedy: "for example --strength 0.5",
      });
    return {
      needs: "anything",
      keepsLabels: true,
      open: async (scene) => async (work) => {
        const noised = asPixels(await work(scene.subjects, beginnings(strength)), scene);
        const after = asPixels(await work(scene.subjects, edited(strength)), scene);
        const columns = [
          { label: "before", pixels: scene.pixels },
          { label: "noised", pixels: noised },
          { label: "after", pixels: after },
        ];
        return { columns, after, told: { strength } };
      },
    };
  },
};
