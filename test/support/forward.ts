// A network's output as the tests compare it: plume's own, in the order that PyTorch has (NCHW).

import * as tf from "@tensorflow/tfjs-core";
import type { Network } from "../../shared/nn/network.ts";
import { createDeviceParams, inference } from "../../shared/pipeline/device-params.ts";
import { normals, PURPOSE } from "../../shared/rng/stream.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";

export interface NetworkCase {
  /** [B, C, H, W]. */
  readonly shape: readonly [number, number, number, number];
  /** NCHW. */
  readonly x: readonly number[];
  readonly t: readonly number[];
  readonly y: readonly number[] | null;
  /** The second half of x's channels is the low-resolution image. */
  readonly upsampler?: true;
}

export const noise = (seed: number, size: number): Float32Array =>
  normals({ seed, purpose: PURPOSE.sampleNoise, step: 0, index: 0 }, size);

export const toNhwc = (x: ArrayLike<number>, shape: NetworkCase["shape"]): tf.Tensor4D =>
  tf.tidy(() => tf.transpose(tf.tensor4d(Float32Array.from(x), [...shape]), [0, 2, 3, 1]) as tf.Tensor4D);

export const toNchw = (x: tf.Tensor): number[] => Array.from(tf.tidy(() => tf.transpose(x, [0, 3, 1, 2]).dataSync()));

/** @param values by name, in plume's axes. @returns NCHW. */
export function plumeForward(
  network: Network,
  values: ReadonlyMap<string, Float32Array>,
  { shape, x, t, y, upsampler }: NetworkCase,
): number[] {
  const layout = buildLayout(network.params);
  const flat = new Float32Array(layout.size);
  for (const { name, offset } of layout.tensors) flat.set(values.get(name)!, offset);
  const params = createDeviceParams(layout);
  params.load(flat);
  const out = tf.tidy(() => {
    const labels = y && tf.tensor1d([...y], "int32");
    const all = toNhwc(x, shape);
    const [own, images] = (upsampler ? tf.split(all, 2, 3) : [all]) as [tf.Tensor4D, tf.Tensor4D?];
    const lowRes = images ? { images, level: null } : null;
    return toNchw(network.forward(inference(params.get), { x: own, t: tf.tensor1d([...t]), y: labels, lowRes }));
  });
  params.dispose();
  return out;
}

/** The largest difference, and how large values are. */
export function compare(ours: readonly number[], theirs: readonly number[]): { worst: number; largest: number } {
  if (ours.length !== theirs.length) throw new Error(`${ours.length} values against ${theirs.length}`);
  const worst = Math.max(...ours.map((value, i) => Math.abs(value - theirs[i]!)));
  return { worst, largest: Math.max(...ours.map(Math.abs)) };
}
