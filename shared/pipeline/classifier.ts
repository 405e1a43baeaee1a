// A trained classifier of noised images, asked on the device: what it says of x_t, as computations that are recorded once.

import * as tf from "@tensorflow/tfjs-core";
import type { JobSpec } from "../config/schema.ts";
import { denoisingOf } from "../diffusion/denoising.ts";
import { parameterizationOf } from "../diffusion/parameterization.ts";
import type { LookUp } from "../diffusion/prediction.ts";
import { noiseProcess } from "../diffusion/processes/index.ts";
import type { Network } from "../nn/network.ts";
import type { Computation, Fed, Feed, MakeProgram, Program } from "../nn/program.ts";
import type { DeviceParams } from "./device-params.ts";

export interface ClassifierOptions {
  readonly spec: JobSpec;
  readonly network: Network;
  readonly params: DeviceParams;
  readonly program: MakeProgram;
}

type Shape4 = readonly [number, number, number, number];

/** Logits at a time t of the classifier's process, for x_t float32 [B, h, w, c] as the network sees images: float32 [B, K]. */
export type Logits = (x_t: Fed, shape: Shape4, t: number) => tf.Tensor2D;

export function createLogits(options: ClassifierOptions): Logits {
  const logitsOf = logitsIn(options);
  const { params, program } = options;
  let asked: { readonly x_t: Fed; readonly t: number };
  const computation =
    (shape: Shape4): Computation =>
    (feed, tensors) => {
      const x_t = feed(shape, "float32", () => asked.x_t);
      return [logitsOf(feed, tensors, () => asked.t)(x_t)];
    };
  const programs = new Map<string, Program>();
  return (x_t, shape, t) => {
    const key = String(shape);
    if (!programs.has(key)) programs.set(key, program(computation(shape)));
    asked = { x_t, t };
    return programs.get(key)!.run(params.tensors)[0] as tf.Tensor2D;
  };
}

/** The same inside a recorded computation, at a time that comes in with it. */
function logitsIn({ spec, network }: ClassifierOptions) {
  const process = noiseProcess(spec.diffusion);
  const { predict, sigmaData } = spec.diffusion;
  const { seen } = denoisingOf(process, parameterizationOf(predict, sigmaData), "simple");
  const names = network.params.map(({ name }) => name);
  return (feed: Feed, tensors: readonly tf.Tensor[], time: () => number) => {
    const byName = new Map(names.map((name, i) => [name, tensors[i]!]));
    const forward = { param: (name: string) => byName.get(name)!, dropout: <U extends tf.Tensor>(u: U) => u };
    const at: LookUp = (value) => feed([], "float32", () => Float32Array.of(value(time())));
    return (x_t: tf.Tensor): tf.Tensor2D => {
      const B = x_t.shape[0]!;
      const t = feed([B], "float32", () => new Float32Array(B).fill(process.label(time()))) as tf.Tensor1D;
      const logits = network.forward(forward, { x: seen(x_t, at) as tf.Tensor4D, t, y: null });
      return tf.reshape(logits, [B, -1]);
    };
  };
}
