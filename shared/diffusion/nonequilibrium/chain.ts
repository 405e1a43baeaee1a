// The contract of a chain: a diffusion whose steps back are distributions of the network's own, as in Sohl-Dickstein et al.
// 2015, and not what a prediction of x_0 comes to. What x_t is, and of what kind its noise is, the chain alone knows.
// Tensors are float32 [B, H, W, C]; steps are in [1, T): the first is not learned.

import type { Tensor } from "@tensorflow/tfjs-core";
import type { Steps } from "../prediction.ts";
import type { TrajectoryEntropies } from "./bound.ts";

/** Random numbers, one an element of the images: whoever gives them says from which stream. */
export interface Random {
  /** N(0, 1). */
  normals(): Tensor;
  /** In [0, 1). */
  uniforms(): Tensor;
}

/** What is known of the images beforehand. */
export interface Seen {
  /** In [-1, 1], float32 [B, H, W, C]. */
  readonly images: Tensor;
  /** How far to trust them: the standard deviation of the noise in them, or how often a bit in them was flipped. */
  readonly noise?: number | undefined;
  /** As images: 1 where they are the truth, 0 where nothing is known. */
  readonly known?: Tensor | undefined;
}

/** p(x_(t-1) | x_t) as the network has it. */
export interface Reverse {
  /** KL(q(x_(t-1) | x_t, x_0) || p), element by element, in nats. */
  divergence(x0: Tensor): Tensor;
  /** x_(t-1), from p multiplied by what was seen: Sec. 2.5 and App. C. */
  draw(random: Random, seen?: Seen): Tensor;
}

export interface Chain {
  readonly T: number;
  readonly entropies: TrajectoryEntropies;
  /** How much of x_0's axis one value of the data covers; 1 where there are no others in between. */
  readonly bin: number;
  /** x_0 of images in [-1, 1]. @param random hides how their values were rounded, where it is given. */
  data(images: Tensor, random?: Random): Tensor;
  /** The images that x is of. */
  images(x: Tensor): Tensor;
  /** x_t of x_0. */
  noised(x0: Tensor, t: Steps, random: Random): Tensor;
  /** x_t as a network sees it: about as far below 0 as above. */
  seen(x_t: Tensor): Tensor;
  /** x_T of nothing. */
  prior(random: Random): Tensor;
  /** @param output of the network at x_t: [B, H, W, outputs C]. */
  reverse(x_t: Tensor, t: Steps, output: Tensor): Reverse;
}

/** The fields of a job's spec.diffusion that chains read. */
export interface ChainOptions {
  readonly timesteps: number;
  readonly sigmaData: number;
}

/** An entry of the table: what is known of a chain without a tensor, and the rest on demand. */
export interface ChainKind {
  readonly about: string;
  /** Numbers that a network gives for each of x_t's. */
  readonly outputs: number;
  /** It runs on bits. */
  readonly bits?: true;
  load(): Promise<(options: ChainOptions) => Chain>;
}
