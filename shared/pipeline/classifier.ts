// A trained classifier of noised images, asked on the device: what it says of x_t, and the gradient of that, as computations
// that are recorded once.

import * as tf from "@tensorflow/tfjs-core";
import { denoisingOf } from "../diffusion/denoising.ts";
import { parameterizationOf } from "../diffusion/parameterization.ts";
import type { LookUp } from "../diffusion/prediction.ts";
import type { Process } from "../diffusion/process.ts";
import { noiseProcess } from "../diffusion/processes/index.ts";
import { type ConditionalGradient, classifierGradient } from "../guidance/classifier.ts";
import type { Computation, Fed, Feed, MakeProgram, Program } from "../nn/program.ts";
import { inference, named } from "./device-params.ts";
import type { FrozenNetwork } from "./frozen.ts";

type Shape4 = readonly [number, number, number, number];

/** Logits at a time t of the classifier's process, for x_t float32 [B, h, w, c] as the network sees images: float32 [B, K]. */
export type Logits = (x_t: Fed, shape: Shape4, t: number) => tf.Tensor2D;

export function createLogits(classifier: FrozenNetwork, program: MakeProgram): Logits {
  const logitsOf = logitsIn(classifier);
  let asked: { readonly x_t: Fed; readonly t: number };
  const run = byShape(program, classifier, (shape) => (feed, tensors) => {
    const logits = logitsOf(feed, tensors, () => asked.t);
    return [logits(feed(shape, "float32", () => asked.x_t))];
  });
  return (x_t, shape, t) => {
    asked = { x_t, t };
    return run(shape) as tf.Tensor2D;
  };
}

/** What the labels ask for. */
export interface Wish {
  /** Int32 [B], below K. */
  readonly labels: Int32Array;
  /** s: what the gradient is multiplied by. */
  readonly scale: number;
}

/** s grad log p(y | x_t) as each form of sampler takes it, in the forms of Denoisers. */
export interface Gradients {
  /** By the steps of a discrete process, with respect to x_t. */
  byStep(process: Process): ConditionalGradient;
  /** By sigma, with respect to x_t / alpha. */
  bySigma(): ConditionalGradient;
  /** By the times of the process, with respect to x_t. */
  byTime(): ConditionalGradient;
}

/** Gradients for any labels; those of one shape share their computation. */
export function createGradients(classifier: FrozenNetwork, program: MakeProgram): (wish: Wish) => Gradients {
  const logitsOf = logitsIn(classifier);
  const noise = noiseProcess(classifier.spec.diffusion);
  /** x scaled is x_t, at t. */
  let asked: Wish & { readonly x: tf.Tensor; readonly alpha: number; readonly t: number };
  const run = byShape(program, classifier, (shape) => (feed, tensors) => {
    const x = feed(shape, "float32", () => asked.x);
    const labels = feed([shape[0]], "int32", () => asked.labels) as tf.Tensor1D;
    const alpha = feed([], "float32", () => Float32Array.of(asked.alpha));
    const scale = feed([], "float32", () => Float32Array.of(asked.scale));
    const logits = logitsOf(feed, tensors, () => asked.t);
    return [classifierGradient((at) => logits(tf.mul(at, alpha)), labels, scale)(x, asked.t)];
  });
  const gradient = (question: typeof asked): tf.Tensor => {
    asked = question;
    return run(question.x.shape as Shape4 & number[]);
  };
  return (wish) => ({
    // Beyond the span there is only noise, in which nothing can be told apart; what a network says of it all the same, DDIM
    // would multiply by sigma / alpha, 20,000 at the last step of the cosine schedule.
    byStep: (process) => (x, step) => {
      const t = process.timestepMap[step]!;
      return t > noise.span.max ? tf.zerosLike(x) : gradient({ ...wish, x, alpha: 1, t });
    },
    bySigma: () => (x, sigma) => {
      const t = noise.timeOf(sigma);
      return gradient({ ...wish, x, alpha: noise.level(t).alpha, t });
    },
    byTime: () => (x, t) => gradient({ ...wish, x, alpha: 1, t }),
  });
}

/** A program for each shape. @returns what gives its one output. */
function byShape(program: MakeProgram, { params }: FrozenNetwork, computation: (shape: Shape4) => Computation) {
  const programs = new Map<string, Program>();
  return (shape: Shape4): tf.Tensor => {
    const key = String(shape);
    if (!programs.has(key)) programs.set(key, program(computation(shape)));
    return programs.get(key)!.run(params.tensors)[0]!;
  };
}

/** Logits inside a recorded computation, at a time that comes in with it. */
function logitsIn({ spec, network }: FrozenNetwork) {
  const process = noiseProcess(spec.diffusion);
  const { predict, sigmaData, sigmaMin } = spec.diffusion;
  const { seen } = denoisingOf(process, parameterizationOf(predict, sigmaData, sigmaMin), "simple");
  return (feed: Feed, tensors: readonly tf.Tensor[], time: () => number) => {
    const forward = inference(named(network.params, tensors));
    const at: LookUp = (value) => feed([], "float32", () => Float32Array.of(value(time())));
    return (x_t: tf.Tensor): tf.Tensor2D => {
      const B = x_t.shape[0]!;
      const t = feed([B], "float32", () => new Float32Array(B).fill(process.label(time()))) as tf.Tensor1D;
      const logits = network.forward(forward, { x: seen(x_t, at) as tf.Tensor4D, t, y: null });
      return tf.reshape(logits, [B, -1]);
    };
  };
}
