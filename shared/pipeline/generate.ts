// Pictures from weights. Image k depends on the weights, the seed, its label and k alone: its noise comes from streams
// keyed by k, so a grid is the same however it is cut into batches.

import type { JobSpec } from "../config/schema.ts";
import { type PatchShape, shuffle } from "../data/patch.ts";
import type { Network } from "../nn/network.ts";
import type { MakeProgram } from "../nn/program.ts";
import { PURPOSE, type Purpose } from "../rng/stream.ts";
import { SAMPLERS, type SamplerName } from "../samplers/index.ts";
import type { Sampler } from "../samplers/sampler.ts";
import { createDenoisers } from "./denoiser.ts";
import type { DeviceParams } from "./device-params.ts";
import { draw } from "./draw.ts";
import { randomOf } from "./random-images.ts";
import { shuffleShape } from "./shape.ts";

export interface GeneratorOptions {
  readonly spec: JobSpec;
  readonly network: Network;
  readonly params: DeviceParams;
  /** Shape of the finished images. */
  readonly image: PatchShape;
  readonly program: MakeProgram;
}

interface Wanted {
  /** Which images of the endless grid. */
  readonly indices: readonly number[];
  /** One an image; null for an unconditional model. */
  readonly labels: readonly number[] | null;
  readonly seed: number;
  readonly sampler: SamplerName;
  readonly steps: number;
  /** The sampler's own when absent. */
  readonly eta?: number | undefined;
  readonly guidance: number;
  readonly onStep?: (done: number, total: number) => Promise<void> | void;
}

/** @returns uint8 [n, H, W, C]. */
export type Generate = (wanted: Wanted) => Promise<Uint8Array>;

export function createGenerator({ spec, network, params, image, program }: GeneratorOptions): Generate {
  const shape = shuffleShape(image, spec.data.patch);
  const denoisers = createDenoisers({ spec, network, params, program });

  const together: Generate = async ({ indices, labels, seed, sampler, steps, eta, guidance, onStep }) => {
    const random = (purpose: Purpose, step: number) => randomOf(indices, shape, { seed, purpose, step });
    const entry = SAMPLERS[sampler];
    const x = await draw(entry, {
      spec,
      denoise: denoisers({ labels: labels && Int32Array.from(labels), guidance }),
      start: random(PURPOSE.sampleNoise, 0),
      steps,
      eta: eta ?? entry.eta,
      random: (call) => random(PURPOSE.sampleStep, call),
      onStep,
    });
    const floats = await x.data<"float32">();
    x.dispose();
    // x * 127.5 + 127.5, rounded and clamped.
    const patched = Uint8Array.from(floats, (v) => Math.max(0, Math.min(255, Math.floor(v * 127.5 + 128))));
    return shuffle(patched, image, spec.data.patch, new Uint8Array(patched.length));
  };
  return (wanted) => (isAdaptive(wanted.sampler) ? oneByOne(together, wanted) : together(wanted));
}

function isAdaptive(name: SamplerName): boolean {
  const sampler: Sampler = SAMPLERS[name];
  return "adaptive" in sampler;
}

/** Images whose sampler would let them depend on each other, each by itself. */
async function oneByOne(generate: Generate, { indices, labels, onStep, ...wanted }: Wanted): Promise<Uint8Array> {
  const n = indices.length;
  const images: Uint8Array[] = [];
  for (const [i, index] of indices.entries())
    images.push(
      await generate({
        ...wanted,
        indices: [index],
        labels: labels && [labels[i]!],
        ...(onStep && { onStep: (done: number, total: number) => onStep(i * total + done, n * total) }),
      }),
    );
  return new Uint8Array(Buffer.concat(images));
}

/** The label of image k of a grid: classes in turn. */
export const gridLabels = (indices: readonly number[], classes: number): number[] | null =>
  classes > 0 ? indices.map((k) => k % classes) : null;
