// Pictures from weights. Image k depends on the weights, the seed, its label and k alone: its noise comes from streams
// keyed by k, so a grid is the same however it is cut into batches.

import type * as tf from "@tensorflow/tfjs-core";
import type { JobSpec } from "../config/schema.ts";
import type { PatchShape } from "../data/patch.ts";
import type { Random, Seen } from "../diffusion/nonequilibrium/chain.ts";
import { chainKind } from "../diffusion/processes/index.ts";
import { invariant } from "../invariant.ts";
import { drawsImageCodes } from "../models/index.ts";
import type { Generator, Network, TokenModel } from "../nn/network.ts";
import { type Computation, type MakeProgram, programsBySize } from "../nn/program.ts";
import { normals, PURPOSE, type Purpose } from "../rng/stream.ts";
import { isAdaptive, levelSampler, SAMPLERS, type SamplerName } from "../samplers/index.ts";
import type { Sampler } from "../samplers/sampler.ts";
import { type ReadCaptions, readScenes } from "./captions.ts";
import { createChainDrawing } from "./chain.ts";
import { createGradients } from "./classifier.ts";
import { createCodeDrawing } from "./code-drawing.ts";
import { createDenoisers } from "./denoiser.ts";
import { type DeviceParams, inference, named } from "./device-params.ts";
import { draw, type Manner } from "./draw.ts";
import type { FrozenNetwork } from "./frozen.ts";
import { type LowResImages, lowResPart, partOf, sampledLowRes, streamOf } from "./low-res.ts";
import { imageRandom, shown } from "./pixels.ts";
import { createPrior } from "./prior.ts";
import { createEmbedder, numbersOf } from "./towers.ts";

export interface GeneratorOptions {
  readonly spec: JobSpec;
  readonly network: Network;
  readonly params: DeviceParams;
  /** Shape of the finished images. */
  readonly image: PatchShape;
  readonly program: MakeProgram;
  /** Guides towards the labels: Dhariwal and Nichol 2021. */
  readonly classifier?: FrozenNetwork | undefined;
  /** Of a network that reads captions of another vocabulary than that of scenes. */
  readonly readCaptions?: ReadCaptions | undefined;
  /** Of a decoder: whose embeddings it is told, and what draws them of captions; without a prior they are those of pictures. */
  readonly clip?: FrozenNetwork | undefined;
  readonly prior?: FrozenNetwork | undefined;
  /** Of what draws codes: whose they are. */
  readonly dvae?: FrozenNetwork | undefined;
  readonly onEvaluation?: (images: number) => void;
}

interface Wanted extends Manner {
  /** Which images of the endless grid. */
  readonly indices: readonly number[];
  /** What each image shall show; null where neither the model nor a classifier has classes. */
  readonly labels: readonly number[] | null;
  /** Of a network that reads them: one an image. */
  readonly captions?: readonly string[] | undefined;
  readonly seed: number;
  readonly sampler: SamplerName;
  readonly guidance: number;
  /** Of the classifier's gradient: 1 when absent, 0 for none. */
  readonly classifierScale?: number | undefined;
  /** Of an upsampler: what each image is drawn from. */
  readonly lowRes?: LowResImages | undefined;
  /** Of a decoder without a prior: whose embeddings it is told, uint8 [n, H, W, C]. */
  readonly pictures?: Uint8Array | undefined;
  /** Of a chain: what is known of the images beforehand, in the order of the indices. */
  readonly seen?: Seen | undefined;
  readonly onStep?: (done: number, total: number) => Promise<void> | void;
}

/** @returns uint8 [n, H, W, C]. */
export type Generate = (wanted: Wanted) => Promise<Uint8Array>;

export function createGenerator(options: GeneratorOptions): Generate {
  const { spec, image } = options;
  const drawn = drawnBy(options);
  const together: Generate = async (wanted) => {
    const { indices, seed } = wanted;
    const x = await drawn(wanted, (purpose, step) =>
      imageRandom({ seed, ...streamOf(spec, purpose, step) }, indices, image, spec.data.patch),
    );
    const floats = await x.data<"float32">();
    x.dispose();
    return shown(floats, image, spec.data.patch);
  };
  return (wanted) => (isAdaptive(wanted.sampler) ? oneByOne(together, wanted) : together(wanted));
}

/** @returns images in [-1, 1], float32 [n, H, W, C] as the network sees them. */
type Drawn = (wanted: Wanted, random: (purpose: Purpose, step: number) => Random) => Promise<tf.Tensor>;

function drawnBy(options: GeneratorOptions): Drawn {
  const { game, density } = options.network;
  const generator = game ?? density;
  if (generator) return drawnByGenerator(options, generator);
  const { tokens } = options.network;
  if (tokens && drawsImageCodes(options.spec.model.type)) return drawnByCodes(options, tokens);
  return chainKind(options.spec.diffusion.process) ? drawnByChain(options) : drawnByLevels(options);
}

function drawnByLevels(options: GeneratorOptions): Drawn {
  const { spec, program, classifier, image, readCaptions = readScenes } = options;
  const denoisers = createDenoisers(options);
  const gradients = classifier && createGradients(classifier, program);
  const embeddingsOf = embeddedBy(options);
  return async (wanted, random) => {
    const { sampler, guidance, classifierScale: scale = 1 } = wanted;
    const labels = wanted.labels && Int32Array.from(wanted.labels);
    const text = wanted.captions && (await readCaptions(wanted.captions));
    const lowRes = wanted.lowRes && sampledLowRes(spec, image, wanted.lowRes, wanted);
    return draw(levelSampler(sampler), {
      ...wanted,
      spec,
      denoise: denoisers({
        ...{ labels: spec.model.classes > 0 ? labels : null, guidance, text, lowRes },
        embedding: await embeddingsOf?.(wanted),
      }),
      gradients: labels && scale !== 0 ? gradients?.({ labels, scale }) : undefined,
      start: random(PURPOSE.sampleNoise, 0).normals(),
      noise: (call) => random(PURPOSE.sampleStep, call).normals(),
    });
  };
}

/** What a decoder is told: float32 [n * D]; undefined for any other model. */
function embeddedBy({ image, program, clip, prior }: GeneratorOptions) {
  if (!clip) return undefined;
  const embedder = createEmbedder(clip, image, program);
  const draws = prior && createPrior(prior, embedder, program);
  return async ({ pictures, captions, ...wanted }: Wanted): Promise<Float32Array> => {
    invariant(pictures ?? draws, "a decoder is told of pictures, or has a prior");
    return numbersOf(pictures ? embedder.images(pictures) : await draws!({ ...wanted, captions: captions! }));
  };
}

function drawnByChain(options: GeneratorOptions): Drawn {
  const drawing = createChainDrawing(options);
  return async ({ labels, sampler, seen, onStep }, random) => {
    const entry: Sampler = SAMPLERS[sampler];
    invariant(entry.walks === "chain", `${sampler} walks a chain`);
    return drawing(await entry.load(), {
      labels: labels && Int32Array.from(labels),
      start: random(PURPOSE.sampleNoise, 0),
      random: (step) => random(PURPOSE.sampleStep, step),
      seen,
      onStep,
    });
  };
}

function drawnByCodes(options: GeneratorOptions, tokens: TokenModel): Drawn {
  const drawing = createCodeDrawing(options, tokens);
  return ({ captions, ...wanted }) => {
    invariant(captions, "what draws codes draws them of captions");
    return drawing({ ...wanted, captions });
  };
}

/** In one evaluation, which is a computation for each number of images. */
function drawnByGenerator(
  { spec, network, params, program, onEvaluation }: GeneratorOptions,
  generator: Generator,
): Drawn {
  const { latent } = generator;
  let asked: Wanted;
  const computation =
    (n: number): Computation =>
    (feed, tensors) => {
      const key = (index: number) => ({ seed: asked.seed, purpose: PURPOSE.sampleNoise, step: 0, index });
      const z = feed([n, latent], "float32", () => {
        const flat = new Float32Array(n * latent);
        asked.indices.forEach((index, i) => flat.set(normals(key(index), latent), i * latent));
        return flat;
      }) as tf.Tensor2D;
      const labels = () => feed([n], "int32", () => Int32Array.from(asked.labels!)) as tf.Tensor1D;
      return [
        generator.generate(inference(named(network.params, tensors)), z, spec.model.classes > 0 ? labels() : null),
      ];
    };
  const programOf = programsBySize(program);
  return async (wanted) => {
    const n = wanted.indices.length;
    asked = wanted;
    onEvaluation?.(n);
    const images = programOf(n, () => computation(n)).run(params.tensors)[0]!;
    await wanted.onStep?.(1, 1);
    return images;
  };
}

/** Images whose sampler would let them depend on each other, each by itself. */
async function oneByOne(generate: Generate, wanted: Wanted): Promise<Uint8Array> {
  const { indices, labels, captions, lowRes, pictures, onStep } = wanted;
  const n = indices.length;
  const images: Uint8Array[] = [];
  for (const [i, index] of indices.entries())
    images.push(
      await generate({
        ...wanted,
        indices: [index],
        labels: labels && [labels[i]!],
        captions: captions && [captions[i]!],
        lowRes: lowRes && lowResPart(lowRes, n, i, i + 1),
        pictures: pictures && partOf(pictures, n, i, i + 1),
        ...(onStep && { onStep: (done: number, total: number) => onStep(i * total + done, n * total) }),
      }),
    );
  return new Uint8Array(Buffer.concat(images));
}

/** The label of image k of a grid: classes in turn. */
export const gridLabels = (indices: readonly number[], classes: number): number[] | null =>
  classes > 0 ? indices.map((k) => k % classes) : null;
