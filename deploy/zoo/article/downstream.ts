// Tasks that a model was not trained for.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { figure, note } from "../../../shared/report/html.ts";
import { pictureUrl } from "../../../shared/report/pictures.ts";
import type { Claim } from "./section.ts";
import { FAMILIES } from "./systems.ts";

const FROM = ["--from-data", "test"] as const;

const TASKS = {
  inpaint: { about: "Half of an image painted anew", args: [...FROM, "--indices", "0,5,7,9", "--mask", "bottom"] },
  "super-resolution": {
    about: "A quarter of the resolution made whole",
    args: [...FROM, "--indices", "0,5,7,9", "--factor", "4"],
  },
  "image-to-image": {
    about: "Images redrawn as bags",
    args: [...FROM, "--indices", "0,5,7,9", "--strength", "0.6", "--class", "Bag"],
  },
  interpolate: { about: "From one image to another", args: [...FROM, "--indices", "2,3", "--frames", "9"] },
} as const;

export const downstream: Claim = {
  title: "Other tasks, without training again",
  claim:
    "A diffusion model inpaints, sharpens, redraws and interpolates real images as it is; a GAN must first be inverted or trained for it.",
  experiment:
    "The first seed's diffusion model edits test images that it was not trained on. The commands refuse a GAN, whose networks have no way from an image to its noise.",
  async show(bench) {
    const [seed] = bench.seeds as [number];
    const name = FAMILIES.diffusion.system;
    const pictures = [];
    for (const [task, { about, args }] of Object.entries(TASKS)) {
      const folder = bench.answersOf(name, seed);
      const file = join(folder, `${task}.png`);
      await bench.trained(name, seed);
      mkdirSync(folder, { recursive: true });
      await bench.asked(name, seed, task, (run) => ["edit", task, run, ...args, "-o", file]);
      pictures.push(figure(about, `<img alt="${task}" src="${await pictureUrl(file)}">`));
    }
    return [...pictures, note(`plume edit with seed ${seed}'s weights; one try, the first.`)];
  },
};
