// The contract of a kind of frozen text encoder: what of a folder's config.json it reads, which tensors it takes, and its forward pass.

import type * as tf from "@tensorflow/tfjs-core";
import type { Feed } from "../nn/program.ts";

/** A tensor of the folder's model.safetensors. */
export interface TextTensor {
  readonly name: string;
  /** As it lies in the file. */
  readonly shape: readonly number[];
  /** Other names of it in files of this kind. */
  readonly also?: readonly string[];
  /** Rows of it are looked up on the host; it is not put on the device. */
  readonly table?: true;
  /** A linear map, [out, in] in the file, as PyTorch has it: on the device it is [in, out]. */
  readonly linear?: true;
}

/** One caption, as the forward pass meets it: values are those of the run at hand. */
export interface EncodedText {
  /** How many places it has: tokens, and padding behind them. */
  readonly places: number;
  /** Its tokens, on the host. */
  tokens(): readonly number[];
  /** A table, on the host: float32, row-major. */
  table(name: string): Float32Array;
}

export interface TextEncoder {
  /** Channels of a word. */
  readonly width: number;
  /** What of config.json decides what it computes. */
  readonly settings: object;
  readonly tensors: readonly TextTensor[];
  /** @param param a tensor of the device, in the file's shape but for linear maps. @returns the words of one caption: float32 [places, width]. */
  forward(feed: Feed, param: (name: string) => tf.Tensor, text: EncodedText): tf.Tensor2D;
}

export interface TextKind {
  readonly about: string;
  /** What config.json calls it. */
  readonly modelTypes: readonly string[];
  /** @param config of config.json. @throws PlumeError FAILED_PRECONDITION naming a setting that plume has not. */
  encoderOf(config: Readonly<Record<string, unknown>>): TextEncoder;
}
