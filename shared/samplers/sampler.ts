// The contracts of samplers: they see a denoiser and noise levels, and know no model. Noise is injected.

import type * as tf from "@tensorflow/tfjs-core";
import type { X0Options } from "../diffusion/gaussian.ts";
import type { GridName } from "../diffusion/grids.ts";
import type { Chain, Random, Reverse, Seen } from "../diffusion/nonequilibrium/chain.ts";
import type { Prediction, VarianceType } from "../diffusion/prediction.ts";
import type { Process } from "../diffusion/process.ts";
import type { ProcessName } from "../diffusion/processes/index.ts";
import type { SdeProcess } from "../diffusion/processes/process.ts";
import type { Known } from "./known.ts";

/** Called inside a tidy scope; `step` counts in the (respaced) process. x_t is float32 [B, H, W, C]. */
export type Denoiser = (x_t: tf.Tensor, step: number) => Prediction;

/** The steps [from, to) of a walk, counted from the noisiest. */
interface InParts {
  /** All steps when absent. */
  readonly part?: readonly [from: number, to: number] | undefined;
}

export const partOf = ({ part }: InParts, steps: number): readonly [from: number, to: number] => part ?? [0, steps];

export interface SampleOptions extends InParts, X0Options {
  readonly process: Process;
  /** DDIM's eta, in [0, 1]. */
  readonly eta: number;
  /** The variance of the ancestral step, where the denoiser gives none. */
  readonly variance: VarianceType;
  /** Standard normal noise of the given shape for a step. */
  readonly noise: (step: number, shape: number[]) => tf.Tensor;
}

/** One step back, from x_t to x_(t-1): both float32 [B, H, W, C] in the space of x_t, x0 as it was predicted on the way. */
export interface StepResult {
  readonly x: tf.Tensor;
  readonly x0: tf.Tensor;
}

export type SamplerStep = (denoise: Denoiser, x_t: tf.Tensor, step: number, options: SampleOptions) => StepResult;

/** One step up, from x_t to x_(t+1), without noise. */
export type InversionStep = (
  denoise: Denoiser,
  x_t: tf.Tensor,
  step: number,
  options: X0Options & Pick<SampleOptions, "process">,
) => StepResult;

/** D(x; sigma) of Karras et al. 2022: the expected x_0 of x = x_0 + sigma eps, float32 [B, H, W, C]. Inside a tidy scope. */
export type SigmaDenoiser = (x: tf.Tensor, sigma: number) => tf.Tensor;

/** One step of the probability-flow ODE, from x at sigma to x at `next`, without noise. */
export type Method = (denoise: SigmaDenoiser, x: tf.Tensor, sigma: number, next: number) => tf.Tensor;

export interface WalkOptions {
  /** Share of ancestral noise: 0 deterministic, 1 as much as the ancestral step adds. */
  readonly eta: number;
  /** Standard normal noise of x's shape: draw `call` of this walk, counted from 0. */
  readonly noise: (call: number) => tf.Tensor;
}

/** Where a walk stands after a step. */
export interface Moment {
  readonly x: tf.Tensor;
  /** Tensors that the next step needs besides x; those of earlier moments that are not named again are disposed. */
  readonly kept?: readonly tf.Tensor[];
  /** A tensor whose values the walk needs on the host: they come back from `yield`. */
  readonly read?: tf.Tensor;
  /** Share of the way, for walks that choose their own steps. */
  readonly progress?: number;
}

/** A walk that reads nothing back gets nothing. */
export type Moments = Generator<Moment, void, Float32Array>;

/**
 * From x at sigmas[0] to x at the last sigma, one moment a step. Written like the papers' loops: whatever a step makes and does
 * not yield is disposed for it.
 */
export type Walk = (denoise: SigmaDenoiser, x: tf.Tensor, sigmas: Float64Array, options: WalkOptions) => Moments;

/** grad log p_t(x_t) of Song et al. 2021, in the space of x_t: float32 [B, H, W, C]. Inside a tidy scope. */
export type Score = (x_t: tf.Tensor, t: number) => tf.Tensor;

interface SdeWalkOptions extends InParts {
  /** N; a walk that chooses its own steps has use for it only to know where a part of them begins. */
  readonly steps: number;
  /** Held after every move, by walks that are stepwise. */
  readonly known?: Known | undefined;
  /** As WalkOptions' noise. */
  readonly noise: (call: number) => tf.Tensor;
}

/** From x at one end of the process' span to x at the other, one moment a step. */
export type SdeWalk = (score: Score, x: tf.Tensor, process: SdeProcess, options: SdeWalkOptions) => Moments;

/** The step back from x_t, float32 [B, H, W, C], of a chain. Inside a tidy scope. */
export type ReverseKernel = (x_t: tf.Tensor, t: number) => Reverse;

interface ChainWalkOptions {
  /** Of each step. */
  readonly random: (step: number) => Random;
  /** What is known of the images, by which each step is multiplied. */
  readonly seen?: Seen | undefined;
}

/** From x_T to x after the first step, the last that is learned: one moment a step. */
export type ChainWalk = (kernel: ReverseKernel, x_T: tf.Tensor, chain: Chain, options: ChainWalkOptions) => Moments;

interface Entry {
  readonly about: string;
  /** What eta is where the job names none. */
  readonly eta: number;
  /** Whether eta scales the noise that it adds. */
  readonly scalesNoise?: true;
  /** The processes that it can walk; all of its sort when absent. */
  readonly fits?: readonly ProcessName[];
  /** Whether it draws from consistency functions, and not from denoisers. */
  readonly ofConsistency?: true;
  /** Its steps depend on all images that it is given: for an image to depend on itself alone, it must walk alone. */
  readonly adaptive?: true;
  /** Each step is taken from its two ends alone: x may be changed between any two of them. */
  readonly stepwise?: true;
}

/** Of a discrete process' steps back. */
export interface StepSampler extends Entry {
  readonly walks: "steps";
  /** Where a classifier's gradient goes: into the mean that it draws around, or into the score of the x_0 that it is shown. */
  readonly guided: "mean" | "score";
  load(): Promise<SamplerStep>;
  /** The way back to noise, where there is one. */
  invert?(): Promise<InversionStep>;
}

/** Of walks through sigma, which fit every process of levels. One that is stepwise and without noise goes up its levels as it goes down. */
export interface SigmaSampler extends Entry {
  readonly walks: "sigma";
  /** Whether its grid ends at sigma 0, or at the least sigma of the process. */
  readonly ends: "zero" | "min";
  /** Its noise levels; Karras' where absent. */
  readonly grid?: GridName | undefined;
  load(): Promise<Walk>;
}

/** Of walks in the time of an SDE. */
interface SdeSampler extends Entry {
  readonly walks: "sde";
  readonly fits: readonly ProcessName[];
  load(): Promise<SdeWalk>;
  /** The way back to noise, where there is one. */
  invert?(): Promise<SdeWalk>;
}

/** Of a chain's own steps. */
interface ChainSampler extends Entry {
  readonly walks: "chain";
  load(): Promise<ChainWalk>;
}

/** Of no walk at all: what it draws from makes images of noise at once. */
interface GeneratorSampler extends Entry {
  readonly walks: "nothing";
}

/** Of what processes of levels have. */
export type LevelSampler = StepSampler | SigmaSampler | SdeSampler;

/** An entry of the table. */
export type Sampler = LevelSampler | ChainSampler | GeneratorSampler;
