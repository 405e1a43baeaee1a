// T5's encoder (Raffel et al. 2020; v1.1 by Shazeer 2020), the text encoder of Imagen (Saharia et al. 2022, Sec. 2.1). Names are those
// of transformers' T5EncoderModel. P places, W channels of a word, H heads, D channels a head.

import * as tf from "@tensorflow/tfjs-core";
import { z } from "zod";
import { PlumeError } from "../errors.ts";
import { attend, NEVER } from "../nn/attention.ts";
import { silu } from "../nn/fused.ts";
import type { Feed } from "../nn/program.ts";
import { exactLog } from "../rng/exact-math.ts";
import type { EncodedText, TextKind, TextTensor } from "./kind.ts";

const configSchema = z.object({
  vocab_size: z.int().min(1),
  d_model: z.int().min(1),
  d_kv: z.int().min(1),
  d_ff: z.int().min(1),
  num_layers: z.int().min(1),
  num_heads: z.int().min(1),
  relative_attention_num_buckets: z.int().min(4).default(32),
  relative_attention_max_distance: z.int().min(1).default(128),
  layer_norm_epsilon: z.number().default(1e-6),
  feed_forward_proj: z.enum(["relu", "gated-gelu", "gated-silu"]).default("relu"),
});

type Config = z.infer<typeof configSchema>;

const EMBEDDING = "shared.weight";
const BIAS = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight";
const FINAL_NORM = "encoder.final_layer_norm.weight";
const attentionOf = (block: number) => `encoder.block.${block}.layer.0`;
const feedForwardOf = (block: number) => `encoder.block.${block}.layer.1`;
const isGated = ({ feed_forward_proj }: Config): boolean => feed_forward_proj.startsWith("gated-");

export const t5: TextKind = {
  about: "T5's encoder: T5EncoderModel or T5ForConditionalGeneration, v1.0 and v1.1 (flan-t5 and mT5 are of its form)",
  modelTypes: ["t5", "mt5"],
  encoderOf(given) {
    const parsed = configSchema.safeParse(given);
    if (!parsed.success) throw refused(parsed.error.issues[0]!);
    const config = parsed.data;
    return {
      width: config.d_model,
      settings: config,
      tensors: tensorsOf(config),
      forward: (feed, param, text) => forward(config, feed, param as Param, text),
    };
  },
};

const refused = ({ path, message }: { readonly path: readonly PropertyKey[]; readonly message: string }) =>
  new PlumeError("FAILED_PRECONDITION", `config.json: ${path.join(".")}: ${message}`, {
    remedy: "name a T5 encoder as transformers' save_pretrained writes it",
  });

function tensorsOf(config: Config): TextTensor[] {
  const { vocab_size, d_model: W, d_kv, d_ff, num_heads, num_layers, relative_attention_num_buckets } = config;
  const inner = num_heads * d_kv;
  const up = isGated(config) ? ["wi_0", "wi_1"] : ["wi"];
  const block = (k: number): TextTensor[] => [
    ...["q", "k", "v"].map((part) => ({
      name: `${attentionOf(k)}.SelfAttention.${part}.weight`,
      shape: [inner, W],
      linear: true as const,
    })),
    { name: `${attentionOf(k)}.SelfAttention.o.weight`, shape: [W, inner], linear: true },
    { name: `${attentionOf(k)}.layer_norm.weight`, shape: [W] },
    ...up.map((part) => ({
      name: `${feedForwardOf(k)}.DenseReluDense.${part}.weight`,
      shape: [d_ff, W],
      linear: true as const,
    })),
    { name: `${feedForwardOf(k)}.DenseReluDense.wo.weight`, shape: [W, d_ff], linear: true },
    { name: `${feedForwardOf(k)}.layer_norm.weight`, shape: [W] },
  ];
  return [
    { name: EMBEDDING, also: ["encoder.embed_tokens.weight"], shape: [vocab_size, W], table: true },
    { name: BIAS, shape: [relative_attention_num_buckets, num_heads], table: true },
    ...Array.from({ length: num_layers }, (_, k) => block(k)).flat(),
    { name: FINAL_NORM, shape: [W] },
  ];
}

type Param = (name: string) => tf.Tensor2D;

function forward(config: Config, feed: Feed, param: Param, text: EncodedText): tf.Tensor2D {
  const { d_model: W, num_layers, num_heads: H, layer_norm_epsilon: eps } = config;
  const { places: P } = text;
  const linear = (x: tf.Tensor2D, name: string): tf.Tensor2D => tf.matMul(x, param(`${name}.weight`));
  const norm = (x: tf.Tensor2D, name: string) => rmsNorm(x, param(name) as tf.Tensor, eps);
  const bias = feed([H, P, P], "float32", () => biasOf(config, text));
  let h = feed([P, W], "float32", () => rowsOf(text, W)) as tf.Tensor2D;
  for (let k = 0; k < num_layers; k++) {
    const [attention, feedForward] = [attentionOf(k), feedForwardOf(k)];
    const u = norm(h, `${attention}.layer_norm.weight`);
    const [q, key, v] = ["q", "k", "v"].map((part) =>
      tf.expandDims(linear(u, `${attention}.SelfAttention.${part}`), 0),
    ) as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D];
    const mixed = tf.squeeze(attend(q, key, v, H, { scaled: false, bias }), [0]) as tf.Tensor2D;
    h = tf.add(h, linear(mixed, `${attention}.SelfAttention.o`));
    const dense = (x: tf.Tensor2D, part: string) => linear(x, `${feedForward}.DenseReluDense.${part}`);
    h = tf.add(h, dense(activated(config, norm(h, `${feedForward}.layer_norm.weight`), dense), "wo"));
  }
  return norm(h, FINAL_NORM);
}

/** Zhang and Sennrich 2019: no mean is taken away, and nothing is added. */
const rmsNorm = (x: tf.Tensor2D, gain: tf.Tensor, eps: number): tf.Tensor2D =>
  tf.mul(gain, tf.mul(x, tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), eps))));

type Dense = (x: tf.Tensor2D, part: string) => tf.Tensor2D;

function activated({ feed_forward_proj: form }: Config, x: tf.Tensor2D, dense: Dense): tf.Tensor2D {
  if (form === "relu") return tf.relu(dense(x, "wi"));
  const gate = dense(x, "wi_0");
  return tf.mul(form === "gated-gelu" ? gelu(gate) : silu(gate), dense(x, "wi_1"));
}

/** Hendrycks and Gimpel 2016, the approximation by tanh. */
function gelu(x: tf.Tensor2D): tf.Tensor2D {
  const inner = tf.mul(Math.sqrt(2 / Math.PI), tf.add(x, tf.mul(0.044715, tf.mul(x, tf.square(x)))));
  return tf.mul(tf.mul(0.5, x), tf.add(1, tf.tanh(inner)));
}

/** Embeddings of the tokens, zeros behind them: float32 [P, W]. */
function rowsOf(text: EncodedText, W: number): Float32Array {
  const [table, rows] = [text.table(EMBEDDING), new Float32Array(text.places * W)];
  text.tokens().forEach((token, i) => rows.set(table.subarray(token * W, (token + 1) * W), i * W));
  return rows;
}

/** What is added to the scores of query i and key j, the same in every block: float32 [H, P, P]. */
function biasOf(config: Config, text: EncodedText): Float32Array {
  const { num_heads: H } = config;
  const { places: P } = text;
  const [table, length] = [text.table(BIAS), text.tokens().length];
  const bias = new Float32Array(H * P * P);
  for (let i = 0; i < P; i++)
    for (let j = 0; j < P; j++) {
      const bucket = bucketOf(config, j - i);
      for (let head = 0; head < H; head++)
        bias[(head * P + i) * P + j] = j < length ? table[bucket * H + head]! : NEVER;
    }
  return bias;
}

/** Half of the buckets are of keys behind; of each half, half are of one distance, the others grow as its logarithm. */
function bucketOf(config: Config, distance: number): number {
  const { relative_attention_num_buckets: buckets, relative_attention_max_distance: most } = config;
  const half = Math.floor(buckets / 2);
  const exact = Math.floor(half / 2);
  const side = distance > 0 ? half : 0;
  const far = Math.abs(distance);
  if (far < exact) return side + far;
  // In float32, as transformers has it: where the logarithm is whole, its rounding says which bucket it is.
  const share = Math.fround(Math.fround(exactLog(far / exact)) / Math.fround(exactLog(most / exact)));
  return side + Math.min(half - 1, exact + Math.floor(Math.fround(share * (half - exact))));
}
