// plume edit super-resolution: the means of squares of pixels stay, what is finer is drawn. Images are shrunk to them first, or
// are as small already.

import type { KnownOf } from "../../../../shared/editing/hold.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import { averaging } from "../../../../shared/samplers/known.ts";
import { wholeNumber } from "../../options.ts";
import { HOLD_OPTIONS, holding } from "./hold.ts";
import type { EditTask, Scene } from "./task.ts";

export const superResolution: EditTask = {
  about: "keep the means of squares of pixels (ILVR, Choi et al. 2021), and draw what is finer",
  examples: ["--from-data test --indices 0,5,7 --factor 4 -o sharper.png", "--images small/ --factor 2 -o large.png"],
  options: [["--factor <k>", "pixels a side of a square; must divide the image's side", "2"], ...HOLD_OPTIONS],
  prepare(given) {
    const factor = wholeNumber("--factor", given.factor!, 2);
    const known = async ({ image: { height }, patch }: Scene): Promise<KnownOf> => {
      if (height % factor !== 0)
        throw new PlumeError("INVALID_ARGUMENT", `--factor ${factor} does not divide the image's side, ${height}`, {
          remedy: `use one of ${divisorsOf(height).join(", ")}`,
        });
      return ({ x }) => averaging(x, factor, patch);
    };
    return { ...holding(given, `1/${factor}`, known), enlarges: factor };
  },
};

const divisorsOf = (n: number): number[] => Array.from({ length: n - 1 }, (_, k) => k + 2).filter((k) => n % k === 0);
