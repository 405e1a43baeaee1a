// A network as a denoiser, with classifier-free guidance.

import * as tf from "@tensorflow/tfjs-core";
import type { JobSpec } from "../config/schema.ts";
import { processX0, type X0Options } from "../diffusion/gaussian.ts";
import { type Level, parameterizationOf, type Reading, scoreReading } from "../diffusion/parameterization.ts";
import { isLearned, learnedRangeLogVariance } from "../diffusion/prediction.ts";
import type { Process } from "../diffusion/process.ts";
import { noiseProcess } from "../diffusion/processes/index.ts";
import { classifierFree } from "../guidance/classifier-free.ts";
import type { LowResInput, Network } from "../nn/network.ts";
import type { Computation, MakeProgram, Program } from "../nn/program.ts";
import type { Denoiser, Score, SigmaDenoiser } from "../samplers/sampler.ts";
import { type ScoreWithSlope, withSlope } from "../samplers/sde/likelihood.ts";
import { type CaptionNumbers, feedText } from "./captions.ts";
import { type DeviceParams, inference, named } from "./device-params.ts";
import { feedEmbedding } from "./embedding.ts";
import { feedLowRes, type LowRes } from "./low-res.ts";

export interface DenoiserOptions {
  readonly spec: JobSpec;
  readonly network: Network;
  readonly params: DeviceParams;
  readonly program: MakeProgram;
  /** Called for each evaluation of the network with the images it was asked for; both halves of guidance are one. */
  readonly onEvaluation?: (images: number) => void;
}

export interface Condition {
  /** One a sample; null for an unconditional model. */
  readonly labels: Int32Array | null;
  readonly guidance: number;
  /** Of n captions; without any, a network that reads captions draws as it does without. */
  readonly text?: CaptionNumbers | undefined;
  /** CLIP's, as the network is told them, float32 [n * D]; without any it draws as it does without. */
  readonly embedding?: Float32Array | undefined;
  /** Of an upsampler: what it is told of the images, in their order. */
  readonly lowRes?: LowRes | undefined;
}

/** One network under one condition, as each form of sampler wants it. */
export interface Denoisers {
  /** By the steps of a discrete process. */
  byStep(process: Process): Denoiser;
  /** By sigma, in x / alpha. */
  bySigma(options: X0Options): SigmaDenoiser;
  /** The score of x_t, by the times of the process. */
  byTime(): Score;
  /** The level of a time of the process. */
  levelAt(t: number): Level;
}

/** Those of a network itself, which can tell slopes too. */
export interface NetworkDenoisers extends Denoisers {
  /** The score with its slope along epsilon, of x_t's shape: without guidance. */
  byTimeWithSlope(epsilon: tf.Tensor): ScoreWithSlope;
}

type Shape4 = [number, number, number, number];

/** What one evaluation is asked: x scaled to x_t, its noise level, how to read the answer, and what the network is told. */
interface Asked extends Condition {
  readonly x: tf.Tensor;
  readonly scale: number;
  readonly level: Level;
  readonly reading: Reading;
  readonly label: number;
  /** Where the slope of the answer is asked for too. */
  readonly epsilon?: tf.Tensor;
}

/** Denoisers under any condition; those of one shape share their computation. */
export function createDenoisers(options: DenoiserOptions): (condition: Condition) => NetworkDenoisers {
  const { spec, network, params, program, onEvaluation } = options;
  const { classes, lowRes: told, embedding: D } = spec.model;
  const captioned = spec.model.text !== undefined;
  const { variance, predict, sigmaData, sigmaMin } = spec.diffusion;
  const noise = noiseProcess(spec.diffusion);
  const reads = parameterizationOf(predict, sigmaData, sigmaMin);
  let asked: Asked;

  const computation =
    (shape: Shape4, labelled: boolean, guided: boolean, sloped: boolean): Computation =>
    (feed, tensors) => {
      const [B] = shape;
      const scalar = (value: () => number) => feed([], "float32", () => Float32Array.of(value()));
      const x_t = tf.mul(
        feed(shape, "float32", () => asked.x),
        scalar(() => asked.scale),
      );
      // Conditional and unconditional halves in one batch.
      const rows = guided ? 2 * B : B;
      const t = feed([rows], "float32", () => new Float32Array(rows).fill(asked.label)) as tf.Tensor1D;
      const ids = () => Int32Array.from({ length: rows }, (_, i) => (i < B ? asked.labels![i]! : classes));
      const y = labelled ? (feed([rows], "int32", ids) as tf.Tensor1D) : null;
      const text = captioned ? feedText(feed, spec, rows, () => asked.text) : null;
      const embedding = D === undefined ? null : feedEmbedding(feed, [rows, D], () => asked.embedding);
      const input = reads.input && scalar(() => reads.input!(asked.level));
      const [skip, out] = [scalar(() => asked.reading.skip), scalar(() => asked.reading.out)];
      const forward = inference(named(network.params, tensors));
      const once = told ? feedLowRes(feed, shape, told, () => asked.lowRes!) : null;
      const lowRes = once && guided ? twice(once) : once;
      const answer = (x: tf.Tensor): readonly [read: tf.Tensor, learned?: tf.Tensor] => {
        const seen = (input ? tf.mul(x, input) : x) as tf.Tensor4D;
        const output = network.forward(forward, { x: seen, t, y, text, embedding, lowRes });
        const [F, learned] = isLearned(variance) ? (tf.split(output, 2, 3) as [tf.Tensor, tf.Tensor]) : [output];
        const read = tf.add(tf.mul(x, skip), tf.mul(F, out));
        return learned ? [read, learned] : [read];
      };
      if (sloped) {
        const epsilon = feed(shape, "float32", () => asked.epsilon!);
        const { score, slope } = withSlope((x) => answer(x)[0], epsilon)(x_t, 0);
        return [score, slope];
      }
      const [read, learned] = answer(guided ? tf.concat([x_t, x_t], 0) : x_t);
      if (!guided) return learned ? [read, learned] : [read];
      const [conditional, unconditional] = tf.split(read, 2, 0) as [tf.Tensor, tf.Tensor];
      const mixed = classifierFree(
        conditional,
        unconditional,
        scalar(() => asked.guidance),
      );
      // Guidance is of the mean: the variance is that of the condition.
      return learned ? [mixed, tf.split(learned, 2, 0)[0]!] : [mixed];
    };

  const programs = new Map<string, Program>();
  /** x_0 or the score and, where the network has learned one, what it gives for the variance; or the slope along epsilon. */
  const evaluateAll = (question: Asked): readonly [read: tf.Tensor, more?: tf.Tensor] => {
    const { x, labels, text, embedding, guidance, epsilon } = question;
    const guided = (labels !== null || text !== undefined || embedding !== undefined) && guidance !== 1;
    const shape = x.shape as Shape4;
    const key = `${shape} ${labels !== null} ${guided} ${epsilon !== undefined}`;
    if (!programs.has(key))
      programs.set(key, program(computation(shape, labels !== null, guided, epsilon !== undefined)));
    asked = question;
    onEvaluation?.(shape[0]);
    return programs.get(key)!.run(params.tensors) as readonly [tf.Tensor, tf.Tensor?];
  };
  const evaluate = (question: Asked): tf.Tensor => evaluateAll(question)[0];
  const scoreAt = (t: number) => {
    const level = noise.level(t);
    return { scale: 1, level, reading: scoreReading(level, reads.reading(level)), label: noise.label(t) };
  };

  return (condition) => ({
    levelAt: (t) => noise.level(t),
    byStep: (process) => (x, step) => {
      const level = { alpha: process.sqrtAlphasCumprod[step]!, sigma: process.sqrtOneMinusAlphasCumprod[step]! };
      const reading = reads.reading(level);
      const label = process.modelTimestep(step);
      const [x0, learned] = evaluateAll({ ...condition, x, scale: 1, level, reading, label });
      return { x0, ...(learned && { logVariance: learnedRangeLogVariance(process, step, learned) }) };
    },
    bySigma: (options) => (x, sigma) => {
      const t = noise.timeOf(sigma);
      const level = noise.level(t);
      const reading = reads.reading(level);
      const x0 = evaluate({ ...condition, x, scale: level.alpha, level, reading, label: noise.label(t) });
      return processX0(x0, options);
    },
    byTime: () => (x, t) => evaluate({ ...condition, ...scoreAt(t), x }),
    byTimeWithSlope: (epsilon) => (x, t) => {
      const [score, slope] = evaluateAll({ ...condition, guidance: 1, ...scoreAt(t), x, epsilon });
      return { score, slope: slope! };
    },
  });
}

/** For both halves of guidance. */
const twice = ({ images, level }: LowResInput): LowResInput => ({
  images: tf.concat([images, images], 0),
  level: level && tf.concat([level, level], 0),
});
