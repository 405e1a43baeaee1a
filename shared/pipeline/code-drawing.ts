// Images of captions, code by code. Code i of image k is drawn by a number of its own, keyed by the seed, k and i: an image depends on the
// weights, its caption, the seed and k alone.

import * as tf from "@tensorflow/tfjs-core";
import { classifierFree } from "../guidance/classifier-free.ts";
import { invariant } from "../invariant.ts";
import type { TokenModel } from "../nn/network.ts";
import { type Computation, programsBySize } from "../nn/program.ts";
import { PURPOSE, uniforms } from "../rng/stream.ts";
import { categorical } from "../samplers/categorical.ts";
import { tokensOf } from "../scenes/tokens.ts";
import { feedText } from "./captions.ts";
import { inference, named } from "./device-params.ts";
import type { GeneratorOptions } from "./generate.ts";

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
  const { spec, network, params, program, dvae, onEvaluation } = options;
  const codebook = dvae?.network.codebook;
  invariant(dvae && codebook, "rules give what draws codes a dvae");
  const { length: N, codes: K } = tokens;
  const { temperature = 1, topK = K } = spec.sampling;

  let asked: { readonly text: Int32Array; readonly codes: Int32Array; readonly at: number; readonly guidance: number };
  /** Logits of the code at a place, float32 [n, K]: those behind it are not seen. */
  const logits =
    (n: number, rows: number): Computation =>
    (feed, tensors) => {
      // What has no caption stands behind the others.
      const text = feedText(feed, spec, rows, () => asked.text);
      const repeatedCodes = () => Int32Array.from({ length: rows * N }, (_, k) => asked.codes[k % (n * N)]!);
      const codes = feed([rows, N], "int32", repeatedCodes) as tf.Tensor2D;
      const here = feed([1, N, 1], "float32", () => Float32Array.from({ length: N }, (_, i) => Number(i === asked.at)));
      const all = tokens.next(inference(named(network.params, tensors)), text, codes).codes.logits;
      const one = tf.sum(tf.mul(tf.reshape(all, [rows, N, K]), here), 1);
      if (rows === n) return [one];
      const [told, untold] = tf.split(one, 2, 0);
      return [
        classifierFree(
          told!,
          untold!,
          feed([1], "float32", () => Float32Array.of(asked.guidance)),
        ),
      ];
    };
  const image =
    (n: number): Computation =>
    (feed, tensors) => {
      const codes = feed([n, N], "int32", () => asked.codes) as tf.Tensor2D;
      return [codebook.decode(inference(named(dvae.network.params, tensors)), codes, null)];
    };
  const [plain, guided, decoder] = [programsBySize(program), programsBySize(program), programsBySize(program)];

  return async ({ indices, captions, seed, guidance, onStep }) => {
    const n = indices.length;
    const mixed = guidance !== 1;
    const next = mixed ? guided(n, () => logits(n, 2 * n)) : plain(n, () => logits(n, n));
    const codes = new Int32Array(n * N);
    const text = tokensOf(captions);
    for (let at = 0; at < N; at++) {
      asked = { text, codes, at, guidance };
      const [found] = next.run(params.tensors);
      const values = await found!.data<"float32">();
      found!.dispose();
      onEvaluation?.(mixed ? 2 * n : n);
      indices.forEach((index, i) => {
        const [u] = uniforms({ seed, purpose: PURPOSE.sampleCode, step: at, index }, 1);
        codes[i * N + at] = categorical(values.slice(i * K, (i + 1) * K), u!, { temperature, topK });
      });
      await onStep?.(at + 1, N);
    }
    return decoder(n, () => image(n)).run(dvae.params.tensors)[0]!;
  };
}
