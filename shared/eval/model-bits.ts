// What a model says of real images, in bits a dimension: the variational bound of a discrete process, the density of the
// probability flow of an SDE, EDM's among them; what a vae or a flow says itself.

import * as tf from "@tensorflow/tfjs-core";
import type { PatchShape } from "../data/patch.ts";
import { createProcess } from "../diffusion/process.ts";
import { chainKind, noiseProcess } from "../diffusion/processes/index.ts";
import type { ContinuousNoise } from "../diffusion/processes/process.ts";
import { PlumeError } from "../errors.ts";
import { generates } from "../models/index.ts";
import { objectiveKind } from "../objectives/index.ts";
import { type ReadCaptions, readScenes } from "../pipeline/captions.ts";
import { createDenoisers, type DenoiserOptions, type NetworkDenoisers } from "../pipeline/denoiser.ts";
import { type LowRes, sampledLowRes, shrunk } from "../pipeline/low-res.ts";
import { imageRandom, scaled, seen } from "../pipeline/pixels.ts";
import { shuffleShape } from "../pipeline/shape.ts";
import { type Embedder, numbersOf } from "../pipeline/towers.ts";
import { PURPOSE, uniforms } from "../rng/stream.ts";
import { likelihood } from "../samplers/sde/likelihood.ts";
import { bitsPerDim } from "./bits-per-dim.ts";
import { variationalBound } from "./bound.ts";
import { densityBits } from "./density-bits.ts";

export interface RealBatch {
  /** uint8 [n, H, W, C]. */
  readonly pixels: Uint8Array;
  /** int32 [n]. */
  readonly labels: Int32Array;
  /** One an image, of a model that reads them. */
  readonly captions?: readonly string[] | undefined;
  /** Which images of the set: the noise of each is its own. */
  readonly ids: readonly number[];
}

type OnStep = (done: number, total: number) => Promise<void> | void;

export interface MeasureBits {
  /** Whether the figure is an upper bound, an unbiased estimate, or what the model says itself. */
  readonly kind: "bound" | "estimate" | "exact";
  /** @returns bits a dimension of each image, float64 [n]. */
  measure(batch: RealBatch, onStep: OnStep): Promise<Float64Array>;
  /** The same by the importance-weighted bound of so many draws, of models that have one. */
  weighted?(batch: RealBatch, draws: number, onStep: OnStep): Promise<Float64Array>;
}

export interface BitsOptions extends DenoiserOptions {
  readonly image: PatchShape;
  readonly seed: number;
  readonly readCaptions?: ReadCaptions;
  /** Of a decoder: of each image its own embedding is told. */
  readonly embedder?: Embedder | undefined;
}

/** @throws PlumeError FAILED_PRECONDITION for a model whose likelihood is not known here. */
export function createBits(options: BitsOptions): MeasureBits {
  const { density } = options.network;
  if (density) return densityBits(options, density);
  const { process, objective } = options.spec.diffusion;
  const { type } = options.spec.model;
  if (generates(type))
    throw new PlumeError("FAILED_PRECONDITION", `a ${type} has no likelihood: of an image it knows no density`, {
      remedy: "use a model that denoises; plume eval measures what this one draws",
    });
  if (chainKind(process))
    throw new PlumeError("FAILED_PRECONDITION", `a model of ${process} has a bound of its own, in bits an image`, {
      remedy: "plume eval CHECKPOINT --bound tells it",
    });
  if (objectiveKind(objective).asks === "denoisers")
    throw new PlumeError(
      "FAILED_PRECONDITION",
      `a model of the objective ${objective} jumps along its paths and has no score, of which its likelihood would follow`,
      { remedy: "measure a model of the objective simple, such as its teacher" },
    );
  const denoisers = createDenoisers(options);
  const { classes, text } = options.spec.model;
  const { readCaptions = readScenes, embedder } = options;
  const under: Under = async (batch) =>
    denoisers({
      labels: classes > 0 ? batch.labels : null,
      text: text && batch.captions && (await readCaptions(batch.captions)),
      embedding: embedder && (await numbersOf(embedder.images(batch.pixels))),
      guidance: 1,
      lowRes: ownLowRes(options, batch),
    });
  if (process === "ddpm") return { kind: "bound", measure: boundOf(options, under) };
  const { flow, sde = flow } = noiseProcess(options.spec.diffusion);
  if (sde) return { kind: "estimate", measure: densityOf(options, sde, under) };
  throw new PlumeError("FAILED_PRECONDITION", `a model of ${process} has neither steps of its own nor a flow in time`, {
    remedy: "measure a model of ddpm, vp, sub-vp, ve or edm; plume eval measures what this one draws",
  });
}

type Under = (batch: RealBatch) => Promise<NetworkDenoisers>;

/** An upsampler is told of each image the image itself, shrunk. */
function ownLowRes({ spec, image, seed }: BitsOptions, { pixels, ids }: RealBatch): LowRes | undefined {
  const { lowRes } = spec.model;
  const small = lowRes && { pixels: shrunk(pixels, image, lowRes.size), noise: 0 };
  return small && sampledLowRes(spec, image, small, { seed, indices: ids });
}

/** Ho et al. 2020, Eq. 5: every step once. */
function boundOf({ spec, image, seed }: BitsOptions, under: Under): MeasureBits["measure"] {
  const { schedule, timesteps, variance } = spec.diffusion;
  const process = createProcess({ schedule, timesteps });
  const noiseAt = (ids: readonly number[]) => (step: number) =>
    imageRandom({ seed, purpose: PURPOSE.likelihoodNoise, step }, ids, image, spec.data.patch).normals();
  return async (batch, onStep) => {
    const { pixels, ids } = batch;
    const x0 = tensorOf(scaled(pixels), image, spec.data.patch);
    try {
      const how = { process, clip: true, variance, noise: noiseAt(ids) };
      return (await variationalBound((await under(batch)).byStep(process), x0, how, onStep)).total;
    } finally {
      x0.dispose();
    }
  };
}

/** Song et al. 2021, Section 4.3, of images with uniform noise in place of what bytes do not say. */
function densityOf({ spec, image, seed }: BitsOptions, sde: ContinuousNoise, under: Under): MeasureBits["measure"] {
  const { span } = noiseProcess(spec.diffusion);
  return async (batch, onStep) => {
    const { pixels, ids } = batch;
    const tensor = (floats: Float32Array) => tensorOf(floats, image, spec.data.patch);
    const size = pixels.length / ids.length;
    const drawn = (purpose: typeof PURPOSE.likelihoodNoise | typeof PURPOSE.hutchinson) =>
      joined(ids, size, (index) => uniforms({ seed, purpose, step: 0, index }, size));
    const between = drawn(PURPOSE.likelihoodNoise);
    const data = tensor(Float32Array.from(pixels, (value, k) => (value + between[k]!) / 128 - 1));
    const epsilon = tensor(drawn(PURPOSE.hutchinson).map((u) => (u < 0.5 ? -1 : 1)));
    try {
      const score = (await under(batch)).byTimeWithSlope(epsilon);
      const { z, priorLogDensity, change } = await likelihood(score, { sde, span }, data, epsilon, {
        onStep: (done, total) => onStep(done, total),
      });
      z.dispose();
      return Float64Array.from(change, (delta, i) => bitsPerDim(delta + priorLogDensity[i]!, size, 256));
    } finally {
      tf.dispose([data, epsilon]);
    }
  };
}

/** float32 [n * size]: each image's own numbers, in their order. */
function joined(ids: readonly number[], size: number, of: (id: number) => ArrayLike<number>): Float32Array {
  const flat = new Float32Array(ids.length * size);
  for (const [i, id] of ids.entries()) flat.set(of(id), i * size);
  return flat;
}

/** Images as the network sees them: float32 [n, h, w, c]. */
function tensorOf(floats: Float32Array, image: PatchShape, patch: number): tf.Tensor4D {
  const { height, width, channels } = shuffleShape(image, patch);
  return tf.tensor4d(seen(floats, image, patch), [
    floats.length / (height * width * channels),
    height,
    width,
    channels,
  ]);
}
