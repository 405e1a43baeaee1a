// plume edit reconstruct: images to the noise that makes them, and back.

import { decoded, encoded } from "../../../../shared/editing/interpolation.ts";
import { distance } from "./distance.ts";
import { asPixels, type EditTask } from "./task.ts";

export const reconstruct: EditTask = {
  about: "encode images as the noise that makes them (in a vae or a flow: as its codes), and make them of it again",
  examples: ["--from-data test --indices 0,5,7 --steps 100 -o again.png"],
  options: [],
  prepare: () => ({
    needs: "inversion",
    guidance: 1,
    keepsLabels: true,
    embeds: "perhaps",
    open: async (scene) => async (work) => {
      const codes = await work(scene.subjects, encoded);
      const after = asPixels(await work({ ...scene.subjects, values: codes }, decoded), scene);
      // A standard deviation of 1 fills half of the range.
      const noise = asPixels(
        codes.map((v) => v / 2),
        scene,
      );
      const columns = [
        { label: "before", pixels: scene.pixels },
        { label: "noise", pixels: noise },
        { label: "after", pixels: after },
      ];
      return { columns, after, told: { error: distance(scene.pixels, after) } };
    },
  }),
};
