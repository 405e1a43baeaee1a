// plume likelihood: how many bits a dimension a model needs for images it was not trained on, beside what others need.

import { Command } from "commander";
import { counted } from "../../../shared/counted.ts";
import type { ImageBatch } from "../../../shared/data/image-set.ts";
import type { PatchShape } from "../../../shared/data/patch.ts";
import { PlumeError } from "../../../shared/errors.ts";
import { histogramBits, UNIFORM_BITS } from "../../../shared/eval/baseline-bits.ts";
import { createBits, type MeasureBits } from "../../../shared/eval/model-bits.ts";
import { loadModel } from "../../../shared/interop/load-model.ts";
import { openCaptions } from "../../../shared/pipeline/captions.ts";
import { batchesOf } from "../../../shared/pipeline/tiles.ts";
import { spreadOf } from "../../../shared/spread.ts";
import { action, type CommandIo } from "../action.ts";
import { BACKEND_OPTION, openBackendFor } from "../backend.ts";
import { openEmbedder } from "../embedder.ts";
import { openHeldOut } from "../held-out.ts";
import { wholeNumber } from "../options.ts";
import { breathe, checkDraws } from "../sampling.ts";
import { table } from "../table.ts";
import { readTextFor } from "./sample/prompt.ts";

interface LikelihoodOptions {
  readonly count: string;
  readonly seed: string;
  readonly draws?: string;
  readonly weights?: string;
  readonly backend?: string;
}

/** Images computed together: bounds the memory; what comes out does not depend on it. */
const BATCH = 20;
/** Of the training images, as many as say how often a pixel has a value. */
const MOST_TRAINING = 10_000;
/** WebP's pictures end at 16,383 pixels. */
const HIGHEST = 16_000;

export function likelihoodCommand(): Command {
  return new Command("likelihood")
    .description(
      "measure how well a model predicts images it was not trained on, in bits a dimension, beside baselines",
    )
    .argument("<checkpoint>", "a run's folder, its checkpoints folder, one step-... folder, or an exported folder")
    .option("--count <n>", "test images of the data that it was trained on", "100")
    .option("--seed <s>", "seed of the noise", "0")
    .option("--draws <k>", "of a vae or a flow: the importance-weighted bound of so many draws as well")
    .option("--weights <which>", "ema | raw (default: ema, or what an exported folder has)")
    .option(...BACKEND_OPTION)
    .addHelpText(
      "after",
      `
Examples:
  plume likelihood runs/iddpm
  plume likelihood runs/edm --count 20
  plume likelihood runs/fashion --count 500 --json
  plume likelihood runs/vae --draws 64

Of a discrete process (ddpm) it is the variational bound, all T steps: an upper bound of what the model needs, T evaluations
of the network an image. Of vp, sub-vp, ve and edm it is the density under the probability flow, by Hutchinson's estimate.
Of a vae or a dvae it is the evidence lower bound, of a flow its own density, with uniform noise between bytes: one evaluation an image;
the importance-weighted bound (Burda et al. 2016) is below both, the more so the more it draws.
A model with labels is asked about each image under its own label, one that reads captions under its own caption, a decoder told
the image's own embedding, an upsampler given the image itself, shrunk.`,
    )
    .action(action(likelihood));
}

async function likelihood(io: CommandIo, options: LikelihoodOptions, checkpoint: string): Promise<undefined> {
  const count = wholeNumber("--count", options.count, 1);
  const seed = wholeNumber("--seed", options.seed);
  const draws = options.draws === undefined ? undefined : wholeNumber("--draws", options.draws, 1);
  const model = await loadModel(checkpoint, options.weights, (trained) => openBackendFor(options.backend, trained));
  const { job, step, weights, imageSet, network, params, backend } = model;
  checkDraws(checkpoint, job.spec);
  const { height, width, channels } = imageSet;
  const image = { height, width, channels };
  const { program } = backend;
  const readCaptions = await openCaptions(job.spec, await readTextFor(job, image), program);
  const embedder = await openEmbedder(model);
  const bitsOf = createBits({ spec: job.spec, network, params, program, image, seed, readCaptions, embedder });
  const weighted = draws === undefined ? undefined : weightedBy(checkpoint, bitsOf, draws);
  await using sets = await openHeldOut(model, io.signal);
  const { test, train, heldOut, which } = sets;
  const n = Math.min(count, test.size);
  if (n < count) io.note(`  ${counted(count, "image")} asked for, ${which} of ${test.name} are ${n}`);
  const images = await test.read(first(n), io.signal);
  const values = await measured(io, bitsOf.measure, images);
  const { mean, std } = spreadOf(values);
  const seen = await train.read(first(Math.min(MOST_TRAINING, train.size)), io.signal);
  const bits = {
    model: mean,
    standardError: (std ?? 0) / Math.sqrt(n),
    ...(weighted && { weighted: spreadOf(await measured(io, weighted, images)).mean }),
    histogram: histogramBits(seen.pixels, images.pixels, height * width * channels),
    ...(await compressed(images.pixels, image)),
    uniform: UNIFORM_BITS,
  };
  io.print(`${job.metadata.name}, ${weights} weights of step ${step}: ${n} ${which} of ${test.name}`);
  const row = (name: string, value: number, more = "") => [name, value.toFixed(3) + more];
  io.print(
    table([
      ["", "bits a dimension"],
      row(
        bitsOf.kind === "bound" ? "the model, at most" : "the model",
        bits.model,
        ` ± ${bits.standardError.toFixed(3)}`,
      ),
      ...(bits.weighted === undefined
        ? []
        : [row(`the same by ${counted(draws!, "draw")} of each image, at most`, bits.weighted)]),
      row("WebP, lossless", bits.webp),
      row("PNG", bits.png),
      row("each pixel by itself, from the training images", bits.histogram),
      row("every value alike", bits.uniform),
    ]),
  );
  io.print("±: the standard error over the images. WebP and PNG have hundreds of them in one picture.");
  io.result({
    checkpoint,
    kind: bitsOf.kind,
    step,
    weights,
    images: n,
    set: test.name,
    heldOut,
    seed,
    ...(draws !== undefined && { draws }),
    bits,
    values: [...values],
  });
  return undefined;
}

/** @throws PlumeError INVALID_ARGUMENT for a model without such a bound. */
function weightedBy(checkpoint: string, { weighted }: MeasureBits, draws: number): MeasureBits["measure"] {
  if (weighted) return (batch, onStep) => weighted(batch, draws, onStep);
  throw new PlumeError("INVALID_ARGUMENT", `--draws ${draws} is of a vae or a flow, which ${checkpoint} is not`, {
    remedy: "leave --draws out",
  });
}

const first = (n: number): number[] => Array.from({ length: n }, (_, k) => k);

async function measured(io: CommandIo, measure: MeasureBits["measure"], { pixels, labels, captions }: ImageBatch) {
  const n = labels.length;
  const size = pixels.length / n;
  const values = new Float64Array(n);
  for (const ids of batchesOf(n, BATCH)) {
    const [from, to] = [ids[0]!, ids.at(-1)! + 1];
    const own = { pixels: pixels.subarray(from * size, to * size), labels: labels.subarray(from, to) };
    const batch = { ...own, captions: captions?.slice(from, to), ids };
    values.set(await measure(batch, () => breathe(io.signal)), from);
    io.note(`  ${to} of ${n} images`);
  }
  return values;
}

/** As tall pictures of many images, so that a file's own bytes do not count for each. */
async function compressed(pixels: Uint8Array, { height, width, channels }: PatchShape) {
  const { default: sharp } = await import("sharp");
  const together = Math.floor(HIGHEST / height) * height * width * channels;
  const bytes = { webp: 0, png: 0 };
  for (let from = 0; from < pixels.length; from += together) {
    const part = pixels.subarray(from, from + together);
    const raw = { width, height: part.length / (width * channels), channels: channels as 1 | 3 };
    bytes.webp += (await sharp(part, { raw }).webp({ lossless: true, effort: 6 }).toBuffer()).length;
    bytes.png += (await sharp(part, { raw }).png({ compressionLevel: 9 }).toBuffer()).length;
  }
  return { webp: (8 * bytes.webp) / pixels.length, png: (8 * bytes.png) / pixels.length };
}
