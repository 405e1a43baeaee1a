// The contract between networks and everything that runs them. A network is declared once (its parameters, by name)
// and applied many times: the parameters are looked up by name, so the same network trains, samples and is exported.

import type { Scalar, Tensor, Tensor1D, Tensor2D, Tensor3D, Tensor4D } from "@tensorflow/tfjs-core";
import type { ParamSpec } from "../tensor/layout.ts";

/** What may come out of a network, and what an objective may judge. */
export const GIVES = [
  "image",
  "classes",
  "game",
  "bound",
  "density",
  "features",
  "embedding",
  "codes",
  "embedding-codes",
] as const;
export type Gives = (typeof GIVES)[number];

/** What a forward pass may ask for. */
export interface Forward {
  /** The tensor of a declared parameter, in its declared shape. */
  param(name: string): Tensor;
  /** Drops with probability `rate` and rescales; identity when sampling. The mask comes from the counter-based generator. */
  dropout<T extends Tensor>(x: T, rate: number): T;
}

export interface NetworkInput {
  /** float32 [B, H, W, C]. */
  readonly x: Tensor4D;
  /** float32 [B]: the time step as the network must see it (original index, or rescaled). */
  readonly t: Tensor1D;
  /** int32 [B]: labels, `classes` meaning "no label"; null for an unconditional network. */
  readonly y: Tensor1D | null;
  /**
   * The words of captions, caption by caption; null for a network that reads none. Of one with a vocabulary their numbers, 0 for
   * none: int32 [B L]. Of one with a frozen encoder its words, each with a 1 behind it, or zeros for none: float32 [B L (width + 1)].
   */
  readonly text?: Tensor1D | null;
  /** Of an upsampler: what it is told of the image that it denoises. */
  readonly lowRes?: LowResInput | null;
  /** float32 [B, n]: how each image was augmented, for networks that are told; absent for images as they are. */
  readonly augment?: Tensor2D | null;
  /** float32 [B, D]: CLIP's embedding of the image, or for a prior of the caption, of length sqrt(D); of zeros for none. */
  readonly embedding?: Tensor2D | null;
}

export interface LowResInput {
  /** The low-resolution image, upsampled: of x's shape. */
  readonly images: Tensor4D;
  /** float32 [B]: how far it was noised, as a step of 1000; null where the network was trained without noise. */
  readonly level: Tensor1D | null;
}

/** What makes an image of z at once. */
export interface Generator {
  /** Numbers of z. */
  readonly latent: number;
  /** z standard normal, float32 [B, latent], to images in [-1, 1], float32 [B, H, W, C]. */
  generate(f: Forward, z: Tensor2D, y: Tensor1D | null): Tensor4D;
}

/** A generator and a discriminator, whose parameters are named `generator.` and `discriminator.`. */
export interface Game extends Generator {
  /** Images to logits, float32 [B]. Its gradient with respect to x has a gradient. */
  discriminate(f: Forward, x: Tensor4D, y: Tensor1D | null): Tensor1D;
}

/** What one draw says of images of bytes, in nats: float32 [B] each. */
export interface Evidence {
  /** -log p(x | z) of the drawn z; -log p(x) of what has no other latents than x. */
  readonly distortion: Tensor;
  /** KL(q(z | x) || p(z)), in closed form; null without other latents. */
  readonly rate: Tensor | null;
  /** log p(x, z) - log q(z | x): the mean of its exponential over draws is p(x). */
  readonly logWeight: Tensor;
}

/** What knows a density of images, or bounds it. */
export interface Density extends Generator {
  /** What it draws for an image to be told of it: standard normals, or uniforms in [0, 1). */
  readonly noise: { readonly of: "normals" | "uniforms"; readonly size: number };
  /**
   * @param x values of bytes, k / 127.5 - 1, float32 [B, H, W, C]. @param noise float32 [B, size].
   * @param temperature float32 [1], in training: of a relaxation of what is drawn, through which gradients go; none is relaxed without.
   */
  evidence(f: Forward, x: Tensor4D, y: Tensor1D | null, noise: Tensor2D, temperature?: () => Tensor): Evidence;
  /** The z that it would make x of, or the mean of those: float32 [B, latent]. */
  encode(f: Forward, x: Tensor4D, y: Tensor1D | null): Tensor2D;
}

/** What codes images by a grid of N entries of a codebook. */
export interface Codebook {
  /** K: its entries. */
  readonly codes: number;
  /** Codes a side of the grid: N is its square. */
  readonly side: number;
  /** Images as the network sees them, float32 [B, H, W, C], to the likeliest codes, int32 [B, N], row by row. */
  encode(f: Forward, x: Tensor4D, y: Tensor1D | null): Tensor2D;
  /** Codes, int32 [B, N], to images in [-1, 1], float32 [B, H, W, C]. */
  decode(f: Forward, codes: Tensor2D, y: Tensor1D | null): Tensor4D;
}

/** What is said of tokens, each by those before it: float32 [n, V] both. */
export interface Next {
  readonly logits: Tensor2D;
  /** 1 of the token that is there, 0 of all others. */
  readonly there: Tensor2D;
}

/** What is said of a row of tokens. */
export interface NextOfRow {
  /** Of B L tokens of captions; null of a network that reads captions and learns none. */
  readonly words: Next | null;
  /** Of B N codes. */
  readonly codes: Next;
}

/** What gives probabilities to codes behind a caption, one after the other. */
export interface TokenModel {
  /** K: what a code may be. */
  readonly codes: number;
  /** N: codes an image, or an embedding. */
  readonly length: number;
  /**
   * @param text int32 [B L], as a network's text. @param codes int32 [B, N].
   * @param embedding of what draws embeddings: the caption's, as a network's embedding.
   */
  next(f: Forward, text: Tensor1D, codes: Tensor2D, embedding?: Tensor2D | null): NextOfRow;
}

/** Two towers that lead images and captions into one space: CLIP. */
export interface Towers {
  /** Dimensions of the space. */
  readonly embedding: number;
  /** Images as the network sees them, float32 [B, H, W, C], to features of any length, float32 [B, embedding]. */
  images(f: Forward, x: Tensor4D): Tensor2D;
  /** @param ids int32 [B L], as a network's text. @returns features, float32 [B, embedding]. */
  texts(f: Forward, ids: Tensor1D): Tensor2D;
  /** @param ids as of `texts`. @returns what the tower makes of begin, words and end, in turn: float32 [B, L + 2, width]. */
  words(f: Forward, ids: Tensor1D): Tensor3D;
  /** ln of what cosines are multiplied by. */
  logScale(f: Forward): Scalar;
}

export interface Network {
  readonly params: readonly ParamSpec[];
  /** Of what is two networks. Its forward is the generator's, of z as [B, 1, 1, latent]. */
  readonly game?: Game;
  /** Of what knows a density. Its forward is as that of a game. */
  readonly density?: Density;
  /** Of what leads images and captions into one space. Its forward is the image tower, [B, 1, 1, embedding]. */
  readonly towers?: Towers;
  /** Of what codes images by a codebook. */
  readonly codebook?: Codebook;
  /** Of what draws such codes, or those of embeddings. Its forward is of codes as an image of one channel, under a caption: their logits. */
  readonly tokens?: TokenModel;
  /** @returns float32 [B, H, W, C_out]; of what tells classes apart their logits, [B, 1, 1, K]. */
  forward(f: Forward, input: NetworkInput): Tensor4D;
}
