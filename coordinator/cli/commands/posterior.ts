// plume posterior: images that a chain's model draws given what was seen of them: denoised, or completed.

import { existsSync, readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { Command } from "commander";
import type { Backend } from "../../../shared/backends/backend.ts";
import { decodeNpy, imagesOf } from "../../../shared/data/npy.ts";
import type { PatchShape } from "../../../shared/data/patch.ts";
import { writeGrid } from "../../../shared/data/picture.ts";
import type { Seen } from "../../../shared/diffusion/nonequilibrium/chain.ts";
import { CHAIN_NAMES, chainKind } from "../../../shared/diffusion/processes/index.ts";
import { PlumeError } from "../../../shared/errors.ts";
import { type LoadedModel, loadModel } from "../../../shared/interop/load-model.ts";
import { generates } from "../../../shared/models/index.ts";
import { createGenerator, gridLabels } from "../../../shared/pipeline/generate.ts";
import { scaled, seen } from "../../../shared/pipeline/pixels.ts";
import { shuffleShape } from "../../../shared/pipeline/shape.ts";
import { batchesOf } from "../../../shared/pipeline/tiles.ts";
import { action, type CommandIo } from "../action.ts";
import { BACKEND_OPTION, openBackendFor } from "../backend.ts";
import { decimal, wholeNumber } from "../options.ts";
import { checkOutput, OUTPUT_OPTION, writeArray } from "../output.ts";
import { breathe, SEED_OPTION } from "../sampling.ts";

interface PosteriorOptions {
  readonly images: string;
  readonly noise?: string;
  readonly known?: string;
  readonly seed: string;
  readonly weights?: string;
  readonly backend?: string;
  readonly output: string;
}

/** Images computed together: bounds the memory; what comes out does not depend on it. */
const BATCH = 8;

export function posteriorCommand(): Command {
  return new Command("posterior")
    .description(`draw images given what was seen of them, by a model of ${CHAIN_NAMES.join(" or ")}`)
    .argument("<checkpoint>", "a run's folder, its checkpoints folder, one step-... folder, or an exported folder")
    .requiredOption("--images <file>", "what was seen: a .npy file of uint8 [n, height, width, channels]")
    .option(
      "--noise <x>",
      "what to remove: the standard deviation of noise, of pixels from -1 to 1; of bits, how often one was flipped",
    )
    .option("--known <file>", "a .npy file of uint8 [n or 1, height, width]: 0 where the rest is to be drawn")
    .option(...SEED_OPTION)
    .option("--weights <which>", "ema | raw (default: ema, or what an exported folder has)")
    .option(...BACKEND_OPTION)
    .requiredOption(...OUTPUT_OPTION)
    .addHelpText(
      "after",
      `
Every step back is multiplied by what was seen (Sohl-Dickstein et al. 2015, Sec. 2.5).

Examples:
  plume posterior runs/heartbeat --images flipped.npy --noise 0.1 -o clean.png
  plume posterior runs/heartbeat --images halves.npy --known mask.npy -o whole.npy`,
    )
    .action(action(posterior));
}

async function posterior(io: CommandIo, options: PosteriorOptions, checkpoint: string): Promise<undefined> {
  const { output } = options;
  const noise = options.noise === undefined ? undefined : decimal("--noise", options.noise, 0);
  const seed = wholeNumber("--seed", options.seed);
  if (noise === undefined && options.known === undefined)
    throw new PlumeError("INVALID_ARGUMENT", "nothing is said of what is to be drawn", {
      remedy: "add --noise X to remove noise, or --known FILE.npy to draw what it leaves out",
    });
  checkOutput(output);
  const model = await loadModel(checkpoint, options.weights, (trained) => openBackendFor(options.backend, trained));
  checkProcess(checkpoint, model, noise);
  const { step, weights } = model;
  const { height, width, channels } = model.imageSet;
  const image = { height, width, channels };
  const given = readArray("--images", options.images, image, channels);
  const mask = options.known === undefined ? null : readArray("--known", options.known, image, 1);
  const evidenceOf = evidence(image, model.job.spec.data.patch, given.pixels, mask, noise);
  const pixels = await drawn(io, model, image, { n: given.n, seed, evidenceOf });
  if (output.endsWith(".npy")) writeArray(output, pixels, image);
  else await writeGrid(output, pixels, { count: given.n, ...image, columns: Math.ceil(Math.sqrt(given.n)) });
  io.print(`${given.n} images of step ${step} (${weights} weights) in ${output}`);
  io.result({ file: output, count: given.n, step, weights, seed, noise: noise ?? null, known: options.known ?? null });
  return undefined;
}

interface Asked {
  readonly n: number;
  readonly seed: number;
  readonly evidenceOf: (indices: readonly number[]) => Seen;
}

async function drawn(
  io: CommandIo,
  { job, network, params, backend }: LoadedModel & { readonly backend: Backend },
  image: PatchShape,
  { n, seed, evidenceOf }: Asked,
): Promise<Uint8Array> {
  const { spec } = job;
  const { sampler, steps } = spec.sampling;
  const generate = createGenerator({ spec, network, params, image, program: backend.program });
  const onStep = () => breathe(io.signal);
  const batches: Uint8Array[] = [];
  for (const indices of batchesOf(n, BATCH)) {
    const known = evidenceOf(indices);
    const labels = gridLabels(indices, spec.model.classes);
    batches.push(await generate({ indices, labels, seed, sampler, steps, guidance: 1, seen: known, onStep }));
    tf.dispose([known.images, known.known]);
    io.note(`  ${indices.at(-1)! + 1} of ${n} images`);
  }
  return new Uint8Array(Buffer.concat(batches));
}

/** Before the minutes of sampling. */
function checkProcess(checkpoint: string, { job }: LoadedModel, noise: number | undefined): void {
  const { process } = job.spec.diffusion;
  const { type } = job.spec.model;
  const kind = chainKind(process);
  const what = generates(type)
    ? `a ${type}, which takes no steps`
    : `a model of ${process}, whose steps are no product`;
  if (!kind)
    throw new PlumeError("FAILED_PRECONDITION", `${checkpoint} is ${what}`, {
      remedy: `use a model of ${CHAIN_NAMES.join(" or ")}, such as a run of deploy/jobs/heartbeat.yaml`,
    });
  if (kind.bits && noise !== undefined && noise > 0.5)
    throw new PlumeError(
      "INVALID_ARGUMENT",
      `--noise ${noise} is above 0.5: such bits would speak against themselves`,
      {
        remedy: "say how often a bit was flipped, 0 to 0.5",
      },
    );
}

/** @param channels of an image in the file; one stands for all. */
function readArray(flag: string, path: string, { height, width }: PatchShape, channels: number) {
  const broken = (why: string) =>
    new PlumeError("INVALID_ARGUMENT", `${flag} ${path}: ${why}`, {
      remedy: `write uint8 [n, ${height}, ${width}, ${channels}] by np.save(file, images)`,
    });
  if (!existsSync(path)) throw broken("there is no such file");
  const found = imagesOf(decodeNpy(readFileSync(path), broken), broken);
  if (found.height !== height || found.width !== width || found.channels !== channels)
    throw broken(`its images are ${found.height}x${found.width}x${found.channels}`);
  return found;
}

/** @returns what was seen of some of the images, the caller's to dispose. */
function evidence(
  image: PatchShape,
  patch: number,
  pixels: Uint8Array,
  mask: { readonly n: number; readonly pixels: Uint8Array } | null,
  noise: number | undefined,
): (indices: readonly number[]) => Seen {
  const { height, width, channels } = shuffleShape(image, patch);
  const size = height * width * channels;
  const tensorOf = (flat: Float32Array) =>
    tf.tensor4d(seen(flat, image, patch), [flat.length / size, height, width, channels]);
  const values = scaled(pixels);
  /** One value for all channels of a pixel. */
  const knownOf = ({ n, pixels: kept }: NonNullable<typeof mask>, index: number) =>
    Array.from({ length: size }, (_, k) =>
      Number(kept[(index % n) * (size / image.channels) + Math.floor(k / image.channels)]! > 0),
    );
  return (indices) => ({
    images: tensorOf(Float32Array.from(indices.flatMap((i) => [...values.subarray(i * size, (i + 1) * size)]))),
    noise,
    ...(mask && { known: tensorOf(Float32Array.from(indices.flatMap((i) => knownOf(mask, i)))) }),
  });
}
