// plume edit text-diff: an image whose embedding of CLIP is turned as one caption differs from another, from the noise that makes it:
// Ramesh et al. 2022, Sec. 3.3.

import * as tf from "@tensorflow/tfjs-core";
import { unitRows } from "../../../../shared/diffusion/embeddings.ts";
import { decoded, encoded, slerp } from "../../../../shared/editing/interpolation.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import { type Embedder, numbersOf } from "../../../../shared/pipeline/towers.ts";
import { tokensOf } from "../../../../shared/scenes/tokens.ts";
import { share, wholeNumber } from "../../options.ts";
import { asPixels, columnsOfRows, type EditTask, repeatedRows, sizeOf } from "./task.ts";

export const textDiff: EditTask = {
  about: "turn an image's embedding from what one caption says towards what another does",
  run: "decoder",
  examples: ['--from-data test --indices 0 --from-text "red square" --to-text "blue square" -o turned.png'],
  options: [
    ["--from-text <caption>", "what the image shows"],
    ["--to-text <caption>", "what it shall show instead"],
    ["--frames <n>", "images of a walk, the first as it was", "6"],
    ["--most <x>", "how far the last one is turned, of the way to the difference alone: above 0, to 1", "0.5"],
  ],
  prepare(given) {
    const { fromText, toText } = given;
    if (fromText === undefined || toText === undefined)
      throw new PlumeError("INVALID_ARGUMENT", "plume edit text-diff lacks --from-text or --to-text", {
        remedy: 'say both, for example --from-text "red square" --to-text "blue square"',
      });
    const words = [tokensOf([fromText], "--from-text"), tokensOf([toText], "--to-text")] as const;
    const frames = wholeNumber("--frames", given.frames!, 2);
    const most = share("--most", given.most!, "0.25 to 0.5 changes what the captions differ in, and little else");
    return {
      needs: "inversion",
      guidance: 1,
      keepsLabels: true,
      embeds: "always",
      open: async (scene) => async (work) => {
        const { subjects } = scene;
        const direction = await difference(scene.embedder!, words);
        const codes = await work(subjects, encoded);
        const D = direction.length;
        const rows = repeatedRows({ ...subjects, values: codes }, frames, () => 0);
        const embeddings = rows.embeddings!.slice();
        const turn = (k: number) => (most * (k % frames)) / (frames - 1);
        for (let k = 0; k * D < embeddings.length; k++)
          embeddings.set(slerp(rows.embeddings!.subarray(k * D, (k + 1) * D), direction, turn(k)), k * D);
        const after = asPixels(await work({ ...rows, embeddings }, decoded), scene);
        const walked = columnsOfRows(after, sizeOf(scene), subjects.keys.length).map((pixels, k) => ({
          ...{ label: turn(k).toFixed(2), pixels },
        }));
        return { columns: [{ label: "image", pixels: scene.pixels }, ...walked], after, told: { frames, most } };
      },
    };
  },
};

/** norm(z_to - z_from), of length sqrt(D): float32 [D]. */
async function difference(embedder: Embedder, [from, to]: readonly [Int32Array, Int32Array]): Promise<Float32Array> {
  const [a, b] = [embedder.texts(from), embedder.texts(to)];
  const turned = tf.tidy(() => tf.mul(unitRows(tf.sub(b, a)), Math.sqrt(a.shape[1])));
  tf.dispose([a, b]);
  return numbersOf(turned);
}
