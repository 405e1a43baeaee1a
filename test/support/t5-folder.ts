// A tiny T5 encoder in a folder, as transformers would save it: random weights, and a tokenizer of letters and a few words.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeSafetensors } from "../../shared/checkpoint/safetensors.ts";
import { normals, PURPOSE } from "../../shared/rng/stream.ts";
import { t5 } from "../../shared/text/t5.ts";

const LETTERS = [..."abcdefghijklmnopqrstuvwxyz0123456789,.-'"];
const WORDS = ["▁red", "▁square", "▁large", "▁circle", "▁of", "▁left", "ll", "ar", "▁s", "qu", "re"];

/** Pieces and their scores: whole words are likelier than their letters. */
const VOCABULARY: readonly (readonly [string, number])[] = [
  ...["<pad>", "</s>", "<unk>"].map((piece) => [piece, 0] as const),
  ["▁", -2],
  ...LETTERS.map((piece, k) => [piece, -4 - 0.05 * k] as const),
  ...WORDS.map((piece, k) => [piece, -3 - 0.1 * k] as const),
];

export const T5_CONFIG = {
  model_type: "t5",
  architectures: ["T5EncoderModel"],
  vocab_size: 64,
  d_model: 16,
  d_kv: 4,
  d_ff: 24,
  num_layers: 2,
  num_heads: 2,
  feed_forward_proj: "relu",
};

/**
 * @param config what differs from T5_CONFIG. @param without a tensor that is left out. @param weights of which config they are, if
 * not of this one. @returns the folder.
 */
export function writeT5(folder: string, config: object = {}, without?: string, weights?: object): string {
  const whole = { ...T5_CONFIG, ...config };
  const tensors = t5
    .encoderOf({ ...whole, ...weights })
    .tensors.map(({ name, shape }, index) => ({
      name,
      shape,
      values: normals(
        { seed: 3, purpose: PURPOSE.init, step: 0, index },
        shape.reduce((n, size) => n * size, 1),
      ).map((value) => (shape.length === 1 ? 1 + 0.2 * value : 0.3 * value)),
    }))
    .filter(({ name }) => name !== without);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "config.json"), JSON.stringify(whole));
  writeFileSync(join(folder, "model.safetensors"), encodeSafetensors(tensors, { format: "pt" }));
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(TOKENIZER));
  writeFileSync(
    join(folder, "tokenizer_config.json"),
    JSON.stringify({
      tokenizer_class: "T5Tokenizer",
      eos_token: "</s>",
      unk_token: "<unk>",
      pad_token: "<pad>",
      extra_ids: 0,
    }),
  );
  return folder;
}

const TOKENIZER = {
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: ["<pad>", "</s>", "<unk>"].map((content, id) => ({
    ...{ id, content, special: true, normalized: false, single_word: false, lstrip: false, rstrip: false },
  })),
  normalizer: { type: "Sequence", normalizers: [{ type: "NFKC" }, { type: "Lowercase" }] },
  pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
  post_processor: {
    type: "TemplateProcessing",
    single: [{ Sequence: { id: "A", type_id: 0 } }, { SpecialToken: { id: "</s>", type_id: 0 } }],
    pair: [],
    special_tokens: { "</s>": { id: "</s>", ids: [1], tokens: ["</s>"] } },
  },
  decoder: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
  model: { type: "Unigram", unk_id: 2, vocab: VOCABULARY, byte_fallback: false },
};
