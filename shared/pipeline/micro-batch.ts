// One micro-batch: images to a mean loss and a flat gradient. A pure function of (spec, step, index, parameters,
// images): every random number comes from a stream keyed by (seed, purpose, step, index).

import * as tf from "@tensorflow/tfjs-core";
import { type Clock, systemClock } from "../clock.ts";
import type { JobSpec } from "../config/schema.ts";
import { type PatchShape, unshuffle } from "../data/patch.ts";
import { qSample } from "../diffusion/gaussian.ts";
import { targetOf } from "../diffusion/prediction.ts";
import { createProcess } from "../diffusion/process.ts";
import { PlumeError } from "../errors.ts";
import type { Forward, Network } from "../nn/network.ts";
import { integers, normals, PURPOSE, type Purpose, uniforms } from "../rng/stream.ts";
import type { Layout } from "../tensor/layout.ts";
import type { DeviceParams } from "./device-params.ts";
import { shuffleShape } from "./shape.ts";

export interface MicroBatch {
  readonly step: number;
  readonly index: number;
  /** uint8 [n, H, W, C]. */
  readonly pixels: Uint8Array;
  /** int32 [n], -1 without a label. */
  readonly labels: Int32Array;
}

/** Seconds of one micro-batch by part. */
export interface MicroBatchSeconds {
  forward: number;
  backward: number;
}

/**
 * @param gradient out: float32 [layout.size], every element written, padding 0.
 * @returns the mean loss over the micro-batch.
 */
export type ComputeMicroBatch = (
  params: DeviceParams,
  batch: MicroBatch,
  gradient: Float32Array,
  seconds?: MicroBatchSeconds,
) => number;

export function createMicroBatch(
  spec: JobSpec,
  network: Network,
  layout: Layout,
  image: PatchShape,
  clock: Clock = systemClock,
): ComputeMicroBatch {
  const { seed, data, diffusion, model } = spec;
  const process = createProcess({ schedule: diffusion.schedule, timesteps: diffusion.timesteps });
  const { height, width, channels } = shuffleShape(image, data.patch);

  return (params, { step, index, pixels, labels }, gradient, seconds) => {
    const n = labels.length;
    const key = (purpose: Purpose) => ({ seed, purpose, step, index });
    const flips = data.flip ? uniforms(key(PURPOSE.flip), n) : null;
    const x0_flat = normalise(pixels, image, data.patch, flips);
    const t = integers(key(PURPOSE.time), n, process.T);
    const eps_flat = normals(key(PURPOSE.noise), x0_flat.length);
    const y =
      model.classes > 0
        ? droppedLabels(labels, model.classes, uniforms(key(PURPOSE.labelDrop), n), diffusion.labelDrop)
        : null;

    const started = clock.now();
    let forwardEnd = started;
    const loss = tf.tidy(() => {
      const shape: [number, number, number, number] = [n, height, width, channels];
      const x0 = tf.tensor4d(x0_flat, shape);
      const eps = tf.tensor4d(eps_flat, shape);
      const x_t = qSample(process, x0, t, eps) as tf.Tensor4D;
      const target = targetOf(process, diffusion.predict, x0, t, eps);
      const time = tf.tensor1d(Float32Array.from(t, (step) => process.modelTimestep(step)));
      const labelTensor = y && tf.tensor1d(y, "int32");

      const objective = (...tensors: tf.Tensor[]): tf.Scalar => {
        const byName = new Map(layout.tensors.map((tensor, i) => [tensor.name, tensors[i]!]));
        const output = network.forward(trainingForward(byName, spec, step, index), { x: x_t, t: time, y: labelTensor });
        // L_simple: Ho et al. 2020, Eq. 14, as a mean over elements.
        const value = tf.mean(tf.squaredDifference(output, target)) as tf.Scalar;
        forwardEnd = clock.now();
        return value;
      };
      const { value, grads } = tf.valueAndGrads(objective)([...params.tensors]);
      gradient.fill(0);
      layout.tensors.forEach(({ offset }, i) => gradient.set(grads[i]!.dataSync() as Float32Array, offset));
      return value.dataSync()[0]!;
    });
    if (seconds) {
      seconds.forward += (forwardEnd - started) / 1000;
      seconds.backward += (clock.now() - forwardEnd) / 1000;
    }
    return loss;
  };
}

/** uint8 [n, H, W, C] to [-1, 1], mirrored where flips[i] < 1/2, unshuffled. */
function normalise(pixels: Uint8Array, image: PatchShape, patch: number, flips: Float64Array | null): Float32Array {
  const { height, width, channels } = image;
  const floats = new Float32Array(pixels.length);
  for (let k = 0; k < pixels.length; k++) floats[k] = pixels[k]! / 127.5 - 1;
  flips?.forEach((u, i) => {
    if (u < 0.5)
      mirror(floats.subarray(i * height * width * channels, (i + 1) * height * width * channels), width, channels);
  });
  return patch === 1 ? floats : unshuffle(floats, image, patch, new Float32Array(floats.length));
}

function mirror(image: Float32Array, width: number, channels: number): void {
  const row = width * channels;
  for (let start = 0; start < image.length; start += row) {
    const copy = image.slice(start, start + row);
    for (let x = 0; x < width; x++)
      image.set(copy.subarray((width - 1 - x) * channels, (width - x) * channels), start + x * channels);
  }
}

/** Classifier-free guidance (Ho and Salimans 2022): a share of the labels becomes "none", the row behind the classes. */
function droppedLabels(labels: Int32Array, classes: number, u: Float64Array, share: number): Int32Array {
  return labels.map((label, i) => {
    if (label < 0 || label >= classes)
      throw new PlumeError("INVALID_ARGUMENT", `label ${label} is outside the model's ${classes} classes`);
    return u[i]! < share ? classes : label;
  });
}

/** Dropout masks come from the counter-based generator, one stretch of the stream a call, in call order. */
function trainingForward(
  params: ReadonlyMap<string, tf.Tensor>,
  { seed }: JobSpec,
  step: number,
  index: number,
): Forward {
  let used = 0;
  return {
    param: (name) => params.get(name)!,
    dropout(x, rate) {
      const u = uniforms({ seed, purpose: PURPOSE.dropout, step, index }, x.size, used);
      used += x.size;
      const mask = Float32Array.from(u, (value) => (value < rate ? 0 : 1 / (1 - rate)));
      return tf.mul(x, tf.tensor(mask, x.shape)) as typeof x;
    },
  };
}
