// How well a classifier of noised images tells classes apart, by the noise that they are under.

import type { JobSpec } from "../config/schema.ts";
import type { ImageBatch } from "../data/image-set.ts";
import type { PatchShape } from "../data/patch.ts";
import type { Level } from "../diffusion/parameterization.ts";
import { noiseProcess } from "../diffusion/processes/index.ts";
import { type NoiseProcess, ratioOf } from "../diffusion/processes/process.ts";
import type { Logits } from "../pipeline/classifier.ts";
import { normalise } from "../pipeline/images.ts";
import { shuffleShape } from "../pipeline/shape.ts";
import { exactExp, exactLog } from "../rng/exact-math.ts";
import { normals, PURPOSE } from "../rng/stream.ts";

/** Images computed together. */
const BATCH = 100;
/** Normals whose quantiles stand for the distribution's. */
const DRAWN = 10_001;

export interface NoisedAccuracy {
  /** A time of the process. */
  readonly t: number;
  /** sigma / alpha: what x_0 = alpha^-1 x_t is under. */
  readonly noise: number;
  /** Share of the images whose class has the largest logit. */
  readonly accuracy: number;
  /** Mean of -log p(y | x_t), in nats. */
  readonly crossEntropy: number;
}

/** Times at the middles of so many equal shares of those that training draws, least noise first. */
export function timesOf(process: NoiseProcess, count: number): number[] {
  const shares = Float64Array.from({ length: count }, (_, k) => (k + 0.5) / count);
  const times = process.draw(
    {
      uniforms: () => shares,
      integers: (_, bound) => Int32Array.from(shares, (share) => Math.floor(share * bound)),
      normals() {
        const drawn = normals({ seed: 0, purpose: PURPOSE.time, step: 0, index: 0 }, DRAWN).sort();
        return Float32Array.from(shares, (share) => drawn[Math.floor(share * DRAWN)]!);
      },
    },
    count,
  );
  return Array.from(times).sort((a, b) => ratioOf(process.level(a)) - ratioOf(process.level(b)));
}

/** @param images labelled ones, at least one. Image k has the same noise whatever images stand beside it. */
export async function accuracyAt(
  t: number,
  { spec, logits }: { readonly spec: JobSpec; readonly logits: Logits },
  { pixels, labels }: ImageBatch,
  image: PatchShape,
): Promise<NoisedAccuracy> {
  const { patch } = spec.data;
  const { height, width, channels } = shuffleShape(image, patch);
  const size = height * width * channels;
  const level = noiseProcess(spec.diffusion).level(t);
  let [hits, nats] = [0, 0];
  for (let from = 0; from < labels.length; from += BATCH) {
    const to = Math.min(from + BATCH, labels.length);
    const x0 = normalise(pixels.subarray(from * size, to * size), image, patch);
    const answer = logits(noised(x0, level, from, size), [to - from, height, width, channels], t);
    const values = await answer.data<"float32">();
    const K = answer.shape[1];
    answer.dispose();
    labels.subarray(from, to).forEach((label, i) => {
      const { hit, surprise } = judged(values.subarray(i * K, (i + 1) * K), label);
      if (hit) hits++;
      nats += surprise;
    });
  }
  return { t, noise: ratioOf(level), accuracy: hits / labels.length, crossEntropy: nats / labels.length };
}

/** x_t of images from `from` on, of `size` numbers each, in their place. */
function noised(x0: Float32Array, { alpha, sigma }: Level, from: number, size: number): Float32Array {
  for (let at = 0; at < x0.length; at += size) {
    const eps = normals({ seed: 0, purpose: PURPOSE.noise, step: 0, index: from + at / size }, size);
    for (let k = 0; k < size; k++) x0[at + k] = alpha * x0[at + k]! + sigma * eps[k]!;
  }
  return x0;
}

/** Of one image's logits: whether the label has the largest, and -log of its softmax. */
function judged(logits: Float32Array, label: number) {
  const largest = logits.reduce((most, value) => Math.max(most, value));
  const total = logits.reduce((sum, value) => sum + exactExp(value - largest), 0);
  return { hit: logits.indexOf(largest) === label, surprise: largest + exactLog(total) - logits[label]! };
}
