// plume edit variations: images that have an image's embedding of CLIP and begin with the noise that makes it: Ramesh et al. 2022, Sec. 3.1.

import { decodedWith, encoded } from "../../../../shared/editing/interpolation.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import { decimal, wholeNumber } from "../../options.ts";
import { asPixels, columnsOfRows, type EditTask, repeatedRows, sizeOf } from "./task.ts";

export const variations: EditTask = {
  about: "draw other images of an image's embedding: what CLIP sees in it stays, the rest is drawn anew",
  run: "decoder",
  examples: ["--from-data test --indices 0,1,2 --variations 6 -o variations.png"],
  options: [
    ["--variations <n>", "of each image", "4"],
    ["--vary <x>", "noise on the way from the image's own: above 0, which makes it again, to 1", "1"],
  ],
  prepare(given) {
    const count = wholeNumber("--variations", given.variations!, 1);
    const eta = decimal("--vary", given.vary!, 0);
    if (eta === 0 || eta > 1)
      throw new PlumeError("INVALID_ARGUMENT", `--vary ${eta} is not above 0 and at most 1`, {
        remedy: "1 varies most; plume edit reconstruct adds no noise",
      });
    return {
      needs: "variation",
      guidance: 1,
      keepsLabels: true,
      embeds: "always",
      open: async (scene) => async (work) => {
        const { subjects, pixels } = scene;
        const n = subjects.keys.length;
        const codes = await work(subjects, encoded);
        const rows = repeatedRows({ ...subjects, values: codes }, count);
        const after = asPixels(await work(rows, decodedWith(eta)), scene);
        const varied = columnsOfRows(after, sizeOf(scene), n).map((column, k) => ({
          label: `${k + 1}`,
          pixels: column,
        }));
        return { columns: [{ label: "image", pixels }, ...varied], after, told: { variations: count } };
      },
    };
  },
};
