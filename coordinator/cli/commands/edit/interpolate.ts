// plume edit interpolate: images between two, by the noise that makes them.

import { counted } from "../../../../shared/counted.ts";
import { decoded, encoded, slerp } from "../../../../shared/editing/interpolation.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import { wholeNumber } from "../../options.ts";
import { distance } from "./distance.ts";
import { asPixels, columnsOfRows, type EditTask, type Scene, sizeOf } from "./task.ts";

export const interpolate: EditTask = {
  about:
    "walk from one image to another through the noise that makes them (DDIM inversion or the probability flow), or by their codes in a vae or a flow",
  examples: ["--from-data test --indices 2,3 --frames 9 -o between.png"],
  options: [["--frames <n>", "images of a walk, both ends among them", "8"]],
  prepare(given) {
    const frames = wholeNumber("--frames", given.frames!, 2);
    return {
      needs: "inversion",
      guidance: 1,
      embeds: "perhaps",
      async open(scene) {
        const n = scene.subjects.keys.length;
        if (n % 2 !== 0)
          throw new PlumeError("INVALID_ARGUMENT", `${counted(n, "image is", "images are")} no pairs`, {
            remedy: "name two images, or more by twos: each pair is a row",
          });
        return async (work) => {
          const codes = await work(scene.subjects, encoded);
          const values = between(codes, sizeOf(scene), frames);
          const { embeddings: own } = scene.subjects;
          const embeddings = own && between(own, own.length / n, frames);
          const label = scene.subjects.labels?.[0];
          const count = (n / 2) * frames;
          const labels = label === undefined ? null : new Array<number>(count).fill(label);
          const after = asPixels(
            await work({ values, labels, embeddings, keys: new Array<number>(count).fill(0) }, decoded),
            scene,
          );
          return rowsOf(scene, after, frames);
        };
      },
    };
  },
};

/** float32 [n / 2, frames, size]: of each pair, from one encoding to the other; of a decoder, from one embedding to the other too. */
function between(codes: Float32Array, size: number, frames: number): Float32Array {
  const all = new Float32Array((codes.length / 2) * frames);
  for (let k = 0; k * size < all.length; k++) {
    const pair = 2 * Math.floor(k / frames);
    const [a, b] = [pair, pair + 1].map((i) => codes.subarray(i * size, (i + 1) * size));
    all.set(slerp(a!, b!, (k % frames) / (frames - 1)), k * size);
  }
  return all;
}

function rowsOf(scene: Scene, after: Uint8Array, frames: number) {
  const size = sizeOf(scene);
  const pairs = scene.subjects.keys.length / 2;
  const [first, last] = columnsOfRows(scene.pixels, size, pairs) as [Uint8Array, Uint8Array];
  const walked = columnsOfRows(after, size, pairs).map((pixels, k) => ({
    label: (k / (frames - 1)).toFixed(2),
    pixels,
  }));
  return {
    columns: [{ label: "first", pixels: first }, ...walked, { label: "second", pixels: last }],
    after,
    told: {
      frames,
      error: Math.max(distance(first, walked[0]!.pixels), distance(last, walked.at(-1)!.pixels)),
    },
  };
}
