// Images of captions, code by code. Code i of image k is drawn by a number of its own, keyed by the seed, k and i: an image depends on the
// weights, its caption, the seed and k alone.

import type * as tf from "@tensorflow/tfjs-core";
import { invariant } from "../invariant.ts";
import type { TokenModel } from "../nn/network.ts";
import { type Computation, programsBySize } from "../nn/program.ts";
import { PURPOSE, uniforms } from "../rng/stream.ts";
import { tokensOf } from "../scenes/tokens.ts";
import { inference, named } from "./device-params.ts";
import type { GeneratorOptions } from "./generate.ts";
import { createTokenDrawing } from "./token-drawing.ts";

interface Wanted {
  readonly indices: readonly number[];
  /** One an image. */
  readonly captions: readonly string[];
  readonly seed: number;
  /** s of u + s (c - u), of the logits: 1 plain conditional. */
  readonly guidance: number;
  readonly onStep?: ((done: number, total: number) => Promise<void> | void) | undefined;
}

/** @returns images in [-1, 1], float32 [n, H, W, C] as the dvae sees them; the caller's to dispose. */
type DrawCodes = (wanted: Wanted) => Promise<tf.Tensor>;

export function createCodeDrawing(options: GeneratorOptions, tokens: TokenModel): DrawCodes {
  const { program, dvae } = options;
  const codebook = dvae?.network.codebook;
  invariant(dvae && codebook, "rules give what draws codes of images a dvae");
  const drawTokens = createTokenDrawing(options, tokens);
  let codes: Int32Array;
  const image =
    (n: number): Computation =>
    (feed, tensors) => {
      const drawn = feed([n, tokens.length], "int32", () => codes) as tf.Tensor2D;
      return [codebook.decode(inference(named(dvae.network.params, tensors)), drawn, null)];
    };
  const decoder = programsBySize(program);

  return async ({ indices, captions, seed, guidance, onStep }) => {
    const n = indices.length;
    const uniform = (step: number, i: number) =>
      uniforms({ seed, purpose: PURPOSE.sampleCode, step, index: indices[i]! }, 1)[0]!;
    codes = await drawTokens({ count: n, text: tokensOf(captions), guidance, uniform, onStep });
    return decoder(n, () => image(n)).run(dvae.params.tensors)[0]!;
  };
}
