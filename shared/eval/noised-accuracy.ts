// How well a classifier of noised images tells classes apart, by the noise that they are under.

import type { JobSpec } from "../config/schema.ts";
import type { ImageBatch } from "../data/image-set.ts";
import type { PatchShape } from "../data/patch.ts";
import { noiseProcess } from "../diffusion/processes/index.ts";
import { type NoiseProcess, ratioOf } from "../diffusion/processes/process.ts";
import type { Logits } from "../pipeline/classifier.ts";
import { normalise } from "../pipeline/micro-batch.ts";
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
  const drawn = () => normals({ seed: 0, purpose: PURPOSE.time, step: 0, index: 0 }, DRAWN).sort();
  const times = process.draw(
    {
      uniforms: () => shares,
      integers: (_, bound) => Int32Array.from(shares, (share) => Math.floor(share * bound)),
      normals: () => Float32Array.from(shares, (share) => drawn()[Math.floor(share * DRAWN)]!),
    },
    count,
  );
  return Array.from(times).sort((a, b) => ratioOf(process.level(a)) - ratioOf(process.level(b)));
}

/** @param images labelled ones, at least one. Image k has the same noise whatever images stand beside it. */
export async function accuracyAt(
  t: number,
  { spec, logits }: { readonly spec: JobSpec; readonly logits: Logits },
  images: ImageBatch,
  image: PatchShape,
): Promise<NoisedAccuracy> {
  const { patch } = spec.data;
  const { height, width, channels } = shuffleShape(image, patch);
  const size = height * width * channels;
  const level = noiseProcess(spec.diffusion).level(t);
  const n = images.labels.length;
  let [hits, nats] = [0, 0];
  for (let from = 0; from < n; from += BATCH) {
    const count = Math.min(BATCH, n - from);
    const x_t = normalise(images.pixels.subarray(from * size, (from + count) * size), image, patch);
    for (let i = 0; i < count; i++) {
      const eps = normals({ seed: 0, purpose: PURPOSE.noise, step: 0, index: from + i }, size);
      for (let k = 0; k < size; k++) x_t[i * size + k] = level.alpha * x_t[i * size + k]! + level.sigma * eps[k]!;
    }
    const answer = logits(x_t, [count, height, width, channels], t);
    const values = await answer.data<"float32">();
    const K = answer.shape[1];
    answer.dispose();
    for (let i = 0; i < count; i++) {
      const label = images.labels[from + i]!;
      const row = values.subarray(i * K, (i + 1) * K);
      const largest = row.reduce((most, value) => Math.max(most, value));
      if (row.indexOf(largest) === label) hits++;
      nats += largest + exactLog(row.reduce((sum, value) => sum + exactExp(value - largest), 0)) - row[label]!;
    }
  }
  return { t, noise: ratioOf(level), accuracy: hits / n, crossEntropy: nats / n };
}
