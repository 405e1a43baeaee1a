// The contracts of objectives: of one output of the network at a time of the process, of denoisers at levels of their own, of a
// chain's steps, of two networks that play against each other, of what a density says of images, of two towers' features, or of tokens.

import type * as tf from "@tensorflow/tfjs-core";
import type { LevelDenoiser } from "../diffusion/consistency.ts";
import type { Chain, Reverse } from "../diffusion/nonequilibrium/chain.ts";
import type { Noised, Prediction, Steps, VarianceType } from "../diffusion/prediction.ts";
import type { Coefficients } from "../diffusion/process.ts";
import type { ProcessName } from "../diffusion/processes/index.ts";
import type { Evidence, Gives, NextOfRow } from "../nn/network.ts";
import type { Weighed } from "./distance.ts";

/** What a network was shown, and how its answer is read. */
export interface Asked extends Noised {
  /** What it should have said: float32 [B, H, W, C]. */
  readonly target: tf.Tensor;
  /** Weight of |output - target|^2, a number or float32 [B, 1, 1, 1]; 1 when absent. */
  readonly weight?: number | tf.Tensor | undefined;
  /** What an output says of x_t. */
  read(output: tf.Tensor): Prediction;
  /** The classes of the images, int32 [B]; asked for where an output is judged by them. */
  labels(): tf.Tensor1D;
}

export interface ObjectiveOptions {
  /** Of the discrete process whose bound is meant. */
  readonly coefficients: Coefficients;
  readonly variance: VarianceType;
  /** lambda of the hybrid objective: what the sum of the bound's terms counts beside L_simple. */
  readonly vlbWeight: number;
}

/** Losses a sample, float32 [B]: what is made small, and what it is the sum of. */
interface Terms {
  readonly loss: tf.Tensor;
  readonly mse?: tf.Tensor;
  /** As it is weighted in the loss. */
  readonly vb?: tf.Tensor;
}

/** @param output of the network at x_t, float32 [B, H, W, C], or [B, H, W, 2 C] where the variance is learned; or logits [B, 1, 1, K]. */
export type Objective = (asked: Asked, output: tf.Tensor, options: ObjectiveOptions) => Terms;

/** The path x_0 + sigma eps of each sample through noise levels, and where on it the sample begins. */
export interface Path {
  /** float32 [B, H, W, C], as eps. */
  readonly x0: tf.Tensor;
  readonly eps: tf.Tensor;
  /** Level k, highest first. A function, for a recorded computation has others at another step of training. */
  readonly sigmas: (k: number) => number;
  /** Which level, a sample. */
  readonly i: Steps;
}

/** Denoisers of which nothing is learned: the network that learns, as it is, and the job's other models by their names. */
export interface Denoisers {
  readonly target: LevelDenoiser;
  readonly teacher?: LevelDenoiser;
}

/** What D(x; sigma) shall be, float32 [B, H, W, C]. */
export interface Aim {
  readonly x: tf.Tensor;
  readonly sigma: Steps;
  readonly image: tf.Tensor;
}

export interface LevelOptions {
  readonly sigmaMin: number;
  readonly sigmaMax: number;
  readonly sigmaData: number;
  /** N of the first step, and of the step from which it no longer grows; constant without an end. */
  readonly scales: { readonly start: number; readonly end?: number | undefined; readonly steps: number };
}

/** Teaches the network as a denoiser what others say at levels of a grid. */
export interface LevelObjective {
  readonly weighed: Weighed;
  /** The grid at a step of training, highest level first: float64 [N]. */
  levels(step: number): Float64Array;
  /** Samples begin at every so many levels, and not at the last one. */
  readonly stride: number;
  aim(path: Path, denoisers: Denoisers): Aim;
}

interface Entry {
  readonly about: string;
  /** What it judges, as networks give it; an image when absent. */
  readonly of?: Gives | readonly Gives[];
  /** The processes that it is for; all when absent. */
  readonly fits?: readonly ProcessName[];
  /** Whether it has a bound that teaches a variance. */
  readonly teachesVariance?: true;
  /** Whether it trains a consistency function, and not a denoiser. */
  readonly ofConsistency?: true;
  /** Whether it reads models.teacher: always, or where there is one. */
  readonly teacher?: "always" | "perhaps";
}

/** Of one output of the network. */
interface OutputObjective extends Entry {
  readonly asks: "output";
  load(): Promise<Objective>;
}

/** Of denoisers. */
interface DenoisersObjective extends Entry {
  readonly asks: "denoisers";
  load(): Promise<(options: LevelOptions) => LevelObjective>;
}

/** @param x0 of the chain. @param reverse the step back that the network gave. */
export type ChainObjective = (chain: Chain, x0: tf.Tensor, reverse: Reverse) => Pick<Terms, "loss">;

/** Of a chain's steps. */
interface OfChain extends Entry {
  readonly asks: "chain";
  load(): Promise<ChainObjective>;
}

/** Of a discriminator's logits, float32 [B], for real images and for generated ones: means over them. */
export interface AdversarialObjective {
  /** @param smoothing what the target of real images lacks of 1; read by those that smooth. */
  discriminator(real: tf.Tensor, fake: tf.Tensor, smoothing: number): tf.Scalar;
  generator(fake: tf.Tensor): tf.Scalar;
}

/** Of a generator and a discriminator, which move in turn. */
interface OfPlayers extends Entry {
  readonly asks: "players";
  readonly of: "game";
  /** Whether its target of real images can be smoothed. */
  readonly smooths?: true;
  load(): Promise<AdversarialObjective>;
}

/** @param beta float32 [1]: what the rate counts beside the distortion. @returns nats, float32 [B]. */
export type EvidenceObjective = (evidence: Evidence, beta: () => tf.Tensor) => tf.Tensor;

/** Of what a network says of images themselves. */
interface OfEvidence extends Entry {
  readonly asks: "evidence";
  readonly of: "bound" | "density";
  load(): Promise<EvidenceObjective>;
}

/**
 * Of the features of images and of their captions, float32 [B, D], row i of both of one sample: one number of the batch, for each is
 * told from the others. @param logScale of the cosines.
 */
export type FeaturesObjective = (
  images: tf.Tensor,
  texts: tf.Tensor,
  logScale: tf.Scalar,
) => { readonly loss: tf.Scalar };

/** Of two towers. */
interface OfTowers extends Entry {
  readonly asks: "towers";
  readonly of: "features";
  load(): Promise<FeaturesObjective>;
}

/** Of what is said of a batch's tokens: one number. */
export type TokensObjective = (said: NextOfRow) => tf.Scalar;

/** Of tokens, each by those before it. */
interface OfTokens extends Entry {
  readonly asks: "tokens";
  readonly of: readonly ["codes", "embedding-codes"];
  load(): Promise<TokensObjective>;
}

/** An entry of the table. */
export type ObjectiveKind =
  | OutputObjective
  | DenoisersObjective
  | OfChain
  | OfPlayers
  | OfEvidence
  | OfTowers
  | OfTokens;

/** Whether it judges what a network gives. */
export const judges = ({ of = "image" }: Entry, gives: Gives): boolean => [of].flat().includes(gives);
