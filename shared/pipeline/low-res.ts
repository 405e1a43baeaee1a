// What an upsampler is told of an image: the image at a lower resolution, by area averaging, rounded to bytes as a base model
// draws it (guided-diffusion's super_res_train.py); blurred now and then in training, and noised by conditioning augmentation, where
// the job says so; upsampled bilinearly (its SuperResModel).

import type * as tf from "@tensorflow/tfjs-core";
import type { JobSpec } from "../config/schema.ts";
import { gaussianBlur } from "../data/blur.ts";
import type { PatchShape } from "../data/patch.ts";
import { resizeAll, resizeFloats } from "../data/resize.ts";
import { augmentationLevel } from "../diffusion/augmentation.ts";
import type { LowResInput } from "../nn/network.ts";
import type { Feed } from "../nn/program.ts";
import { normals, PURPOSE, type Purpose, type StreamKey, uniforms } from "../rng/stream.ts";
import { scaled, seen } from "./pixels.ts";

type Told = NonNullable<JobSpec["model"]["lowRes"]>;

/** On the host. */
export interface LowRes {
  /** float32 [n, h, w, c], as the network sees images. */
  readonly images: Float32Array;
  /** 1000 s of each, float32 [n]; null where the network was trained without noise. */
  readonly levels: Float32Array | null;
}

/** What images are drawn from. */
export interface LowResImages {
  /** uint8 [n, S, S, C]. */
  readonly pixels: Uint8Array;
  /** s, to which all of them are noised. */
  readonly noise: number;
}

/** uint8 [n, H, W, C] to [n, S, S, C]. */
export const shrunk = (pixels: Uint8Array, { height, width, channels }: PatchShape, size: number): Uint8Array =>
  resizeAll(pixels, height, width, channels, size);

/** Of images that are trained on, each noised to an s of its own: uniform in [0, noise). Null for other networks. */
export function trainingLowRes(
  { seed, data, model: { lowRes } }: JobSpec,
  image: PatchShape,
  pixels: Uint8Array,
  at: { readonly step: number; readonly index: number },
): LowRes | null {
  if (!lowRes) return null;
  const n = pixels.length / (image.height * image.width * image.channels);
  const u = () => uniforms({ seed, purpose: PURPOSE.lowResBlur, ...at }, n);
  const small = blurred(scaled(shrunk(pixels, image, lowRes.size)), lowRes, image.channels, u);
  if (lowRes.noise > 0) {
    const s = uniforms({ seed, purpose: PURPOSE.lowResLevel, ...at }, n).map((u) => u * lowRes.noise);
    const eps = normals({ seed, purpose: PURPOSE.lowResNoise, ...at }, small.length);
    return told(augmented(small, s, eps), s, lowRes, image, data.patch);
  }
  return told(small, null, lowRes, image, data.patch);
}

/** Of images that are drawn: the noise of each is its own, by its index. */
export function sampledLowRes(
  { data, model: { lowRes } }: JobSpec,
  image: PatchShape,
  { pixels, noise }: LowResImages,
  { seed, indices }: { readonly seed: number; readonly indices: readonly number[] },
): LowRes {
  const small = scaled(pixels);
  if (lowRes!.noise === 0) return told(small, null, lowRes!, image, data.patch);
  const size = small.length / indices.length;
  const eps = new Float32Array(small.length);
  indices.forEach((index, i) => {
    eps.set(normals({ seed, purpose: PURPOSE.sampleLowRes, step: lowRes!.size, index }, size), i * size);
  });
  const s = new Float64Array(indices.length).fill(noise);
  return told(augmented(small, s, eps), s, lowRes!, image, data.patch);
}

/** DALLE2-pytorch's LowresConditioner. */
const [BLURRED, KERNEL] = [0.5, 3];

/** Images whose u is below a half, blurred: a base model's are less sharp than what training shrinks (Ramesh et al. 2022, Sec. 2.1). */
function blurred(small: Float32Array, { size, blur }: Told, channels: number, u: () => Float64Array): Float32Array {
  if (blur === 0) return small;
  const shape = { height: size, width: size, channels };
  const length = size * size * channels;
  const some = small.slice();
  u().forEach((each, i) => {
    const from = i * length;
    const own = small.subarray(from, from + length);
    if (each < BLURRED) some.set(gaussianBlur(own, shape, { kernel: KERNEL, sigma: blur }), from);
  });
  return some;
}

/** z_s = alpha x + sigma eps, each image by its own s. */
export function augmented(small: Float32Array, s: Float64Array, eps: Float32Array): Float32Array {
  const size = small.length / s.length;
  const levels = Array.from(s, augmentationLevel);
  return small.map((x, k) => {
    const { alpha, sigma } = levels[Math.floor(k / size)]!;
    return alpha * x + sigma * eps[k]!;
  });
}

/** The steps of 1000 that a network's embedding of times knows. */
const STEPS = 1000;

const told = (
  small: Float32Array,
  s: Float64Array | null,
  { size }: Told,
  image: PatchShape,
  patch: number,
): LowRes => ({
  images: seen(resizeFloats(small, size, image.channels, image.height), image, patch),
  levels: s && Float32Array.from(s, (each) => STEPS * each),
});

const UPSAMPLE = new Map<Purpose, Purpose>([
  [PURPOSE.sampleNoise, PURPOSE.upsampleNoise],
  [PURPOSE.sampleStep, PURPOSE.upsampleStep],
]);
/** Above the largest size. */
const SIZES = 1025;

/** Models of a cascade are given one seed: each draws from streams of its own, or what it adds would depend on its base's noise. */
export const streamOf = (
  { model: { lowRes } }: Pick<JobSpec, "model">,
  purpose: Purpose,
  step: number,
): Pick<StreamKey, "purpose" | "step"> =>
  lowRes ? { purpose: UPSAMPLE.get(purpose)!, step: SIZES * step + lowRes.size } : { purpose, step };

export const lowResPart = ({ pixels, noise }: LowResImages, n: number, from: number, to: number): LowResImages => ({
  pixels: partOf(pixels, n, from, to),
  noise,
});

/** Images [from, to) of n. */
export function partOf(pixels: Uint8Array, n: number, from: number, to: number): Uint8Array {
  const size = pixels.length / n;
  return pixels.slice(from * size, to * size);
}

/** The same inside a recorded computation. @param shape of x: [n, h, w, c]. */
export const feedLowRes = (
  feed: Feed,
  shape: readonly number[],
  { noise }: Told,
  lowRes: () => LowRes,
): LowResInput => ({
  images: feed(shape, "float32", () => lowRes().images) as tf.Tensor4D,
  level: noise > 0 ? (feed([shape[0]!], "float32", () => lowRes().levels!) as tf.Tensor1D) : null,
});
