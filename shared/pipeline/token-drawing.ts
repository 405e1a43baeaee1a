// Codes behind captions, drawn one by one. A row of codes depends on the weights, what it is told and its own random numbers alone.

import * as tf from "@tensorflow/tfjs-core";
import type { JobSpec } from "../config/schema.ts";
import { classifierFree } from "../guidance/classifier-free.ts";
import type { Network, TokenModel } from "../nn/network.ts";
import { type Computation, type MakeProgram, programsBySize } from "../nn/program.ts";
import { categorical } from "../samplers/categorical.ts";
import { feedText } from "./captions.ts";
import { type DeviceParams, inference, named } from "./device-params.ts";
import { feedEmbedding } from "./embedding.ts";

interface Options {
  readonly spec: JobSpec;
  readonly network: Network;
  readonly params: DeviceParams;
  readonly program: MakeProgram;
  readonly onEvaluation?: (rows: number) => void;
}

interface Told {
  /** int32 [n L]. */
  readonly text: Int32Array;
  /** Of the captions, for what draws embeddings: float32 [n D]. */
  readonly embedding?: Float32Array | undefined;
  /** s of u + s (c - u), of the logits: 1 plain conditional. */
  readonly guidance: number;
}

interface Wanted extends Told {
  /** n: rows of codes. */
  readonly count: number;
  /** What code `at` of row `i` is drawn by: in [0, 1). */
  readonly uniform: (at: number, i: number) => number;
  readonly onStep?: ((done: number, total: number) => Promise<void> | void) | undefined;
}

interface Asked extends Told {
  readonly codes: Int32Array;
  /** The place that is asked of. */
  readonly at: number;
}

/** By the job's temperature and topK. @returns n N codes, row by row. */
export function createTokenDrawing(options: Options, tokens: TokenModel): (wanted: Wanted) => Promise<Int32Array> {
  const { spec, network, params, program, onEvaluation } = options;
  const { length: N, codes: K } = tokens;
  const { temperature = 1, topK = K } = spec.sampling;

  let asked: Asked;
  /** Logits of the code at a place, float32 [n, K]: those behind it are not seen. */
  const logits =
    (n: number, rows: number, D: number | undefined): Computation =>
    (feed, tensors) => {
      // What has no caption stands behind the others.
      const text = feedText(feed, spec, rows, () => asked.text);
      const repeatedCodes = () => Int32Array.from({ length: rows * N }, (_, k) => asked.codes[k % (n * N)]!);
      const codes = feed([rows, N], "int32", repeatedCodes) as tf.Tensor2D;
      const embedding = D === undefined ? null : feedEmbedding(feed, [rows, D], () => asked.embedding);
      const here = feed([1, N, 1], "float32", () => Float32Array.from({ length: N }, (_, i) => Number(i === asked.at)));
      const all = tokens.next(inference(named(network.params, tensors)), text, codes, embedding).codes.logits;
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
  const [plain, guided] = [programsBySize(program), programsBySize(program)];

  return async ({ count: n, uniform, onStep, ...told }) => {
    const mixed = told.guidance !== 1;
    const D = told.embedding && told.embedding.length / n;
    const next = mixed ? guided(n, () => logits(n, 2 * n, D)) : plain(n, () => logits(n, n, D));
    const codes = new Int32Array(n * N);
    for (let at = 0; at < N; at++) {
      asked = { ...told, codes, at };
      const [found] = next.run(params.tensors);
      const values = await found!.data<"float32">();
      found!.dispose();
      onEvaluation?.(mixed ? 2 * n : n);
      for (let i = 0; i < n; i++)
        codes[i * N + at] = categorical(values.slice(i * K, (i + 1) * K), uniform(at, i), { temperature, topK });
      await onStep?.(at + 1, N);
    }
    return codes;
  };
}
