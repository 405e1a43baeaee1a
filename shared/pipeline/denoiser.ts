// A network as a denoiser, with classifier-free guidance: eps = u + s (c - u) (Ho and Salimans 2022, with s = w + 1).

import * as tf from "@tensorflow/tfjs-core";
import type { JobSpec } from "../config/schema.ts";
import { type LookUp, toX0 } from "../diffusion/prediction.ts";
import type { Process } from "../diffusion/process.ts";
import type { Network } from "../nn/network.ts";
import type { Computation, MakeProgram, Program } from "../nn/program.ts";
import type { Denoiser } from "../samplers/sampler.ts";
import type { DeviceParams } from "./device-params.ts";

export interface DenoiserOptions {
  readonly spec: JobSpec;
  readonly network: Network;
  readonly params: DeviceParams;
  readonly process: Process;
  readonly program: MakeProgram;
}

export interface Condition {
  /** One a sample; null for an unconditional model. */
  readonly labels: Int32Array | null;
  readonly guidance: number;
}

type Shape4 = [number, number, number, number];

/** Denoisers of one process under any condition; those of one shape share their computation. */
export function createDenoisers(options: DenoiserOptions): (condition: Condition) => Denoiser {
  const { spec, network, params, process, program } = options;
  const { classes } = spec.model;
  const names = network.params.map(({ name }) => name);
  /** What the computation is given: x_t and the step of the call in hand. */
  let asked: Condition & { readonly x: tf.Tensor; readonly step: number };

  const computation =
    (shape: Shape4, labelled: boolean, guided: boolean): Computation =>
    (feed, tensors) => {
      const [B] = shape;
      const byName = new Map(names.map((name, i) => [name, tensors[i]!]));
      const x = feed(shape, "float32", () => asked.x) as tf.Tensor4D;
      // Conditional and unconditional halves in one batch.
      const rows = guided ? 2 * B : B;
      const input = guided ? (tf.concat([x, x], 0) as tf.Tensor4D) : x;
      const time = () => new Float32Array(rows).fill(process.modelTimestep(asked.step));
      const t = feed([rows], "float32", time) as tf.Tensor1D;
      const ids = () => Int32Array.from({ length: rows }, (_, i) => (i < B ? asked.labels![i]! : classes));
      const y = labelled ? (feed([rows], "int32", ids) as tf.Tensor1D) : null;
      const output = network.forward({ param: (name) => byName.get(name)!, dropout: (u) => u }, { x: input, t, y });
      const level: LookUp = (value) => feed([], "float32", () => Float32Array.of(value(asked.step)));
      const x0 = toX0(process, spec.diffusion.predict, input, level, output);
      if (!guided) return [x0];
      // At one x_t, x_0, eps and v are affine in one another, so mixing x_0 mixes eps by the same weights.
      const scale = feed([], "float32", () => Float32Array.of(asked.guidance));
      const [conditional, unconditional] = tf.split(x0, 2, 0) as [tf.Tensor, tf.Tensor];
      return [tf.add(unconditional, tf.mul(tf.sub(conditional, unconditional), scale))];
    };

  const programs = new Map<string, Program>();
  return ({ labels, guidance }) => {
    const guided = labels !== null && guidance !== 1;
    return (x_t, step) => {
      const shape = x_t.shape as Shape4;
      const key = `${shape} ${labels !== null} ${guided}`;
      if (!programs.has(key)) programs.set(key, program(computation(shape, labels !== null, guided)));
      asked = { labels, guidance, step, x: x_t };
      const [x0] = programs.get(key)!.run(params.tensors);
      return { x0: x0! };
    };
  };
}
