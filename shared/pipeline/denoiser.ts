// A network as a denoiser, with classifier-free guidance: eps = u + s (c - u) (Ho and Salimans 2022, with s = w + 1).

import * as tf from "@tensorflow/tfjs-core";
import type { JobSpec } from "../config/schema.ts";
import { toX0 } from "../diffusion/prediction.ts";
import type { Process } from "../diffusion/process.ts";
import type { Network } from "../nn/network.ts";
import type { Denoiser } from "../samplers/sampler.ts";
import { type DeviceParams, inference } from "./device-params.ts";

export interface DenoiserOptions {
  readonly spec: JobSpec;
  readonly network: Network;
  readonly params: DeviceParams;
  readonly process: Process;
  /** One a sample; null for an unconditional model. */
  readonly labels: Int32Array | null;
  readonly guidance: number;
}

export function createDenoiser({ spec, network, params, process, labels, guidance }: DenoiserOptions): Denoiser {
  const { predict } = spec.diffusion;
  const { classes } = spec.model;
  const f = inference(params);
  const guided = labels !== null && guidance !== 1;
  return (x_t, step) => {
    const [B] = x_t.shape as [number];
    const x = x_t as tf.Tensor4D;
    // Conditional and unconditional halves in one batch.
    const rows = guided ? 2 * B : B;
    const input = guided ? (tf.concat([x, x], 0) as tf.Tensor4D) : x;
    const t = tf.fill([rows], process.modelTimestep(step)) as tf.Tensor1D;
    const ids = labels && Int32Array.from({ length: rows }, (_, i) => (i < B ? labels[i]! : classes));
    const output = network.forward(f, { x: input, t, y: ids && tf.tensor1d(ids, "int32") });
    const x0 = toX0(process, predict, input, step, output);
    if (!guided) return { x0 };
    // At one x_t, x_0, eps and v are affine in one another, so mixing x_0 mixes eps by the same weights.
    const [conditional, unconditional] = tf.split(x0, 2, 0) as [tf.Tensor, tf.Tensor];
    return { x0: tf.add(unconditional, tf.mul(tf.sub(conditional, unconditional), guidance)) };
  };
}
