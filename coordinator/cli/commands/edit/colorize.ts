// plume edit colorize: the grey of an image stays, its colours are drawn.

import { PlumeError } from "../../../../shared/errors.ts";
import { colorization } from "../../../../shared/samplers/known.ts";
import { HOLD_OPTIONS, holding } from "./hold.ts";
import type { EditTask } from "./task.ts";

export const colorize: EditTask = {
  about: "keep the grey of images, and draw their colours",
  examples: ["--images grey/ --class horse -o coloured.png"],
  options: HOLD_OPTIONS,
  prepare: (given) =>
    holding(given, "grey", async ({ image }) => {
      if (image.channels !== 3)
        throw new PlumeError("FAILED_PRECONDITION", "the model makes images of one channel, which have no colours", {
          remedy: "use a model that was trained on images of three channels",
        });
      return ({ x }) => colorization(x);
    }),
};
