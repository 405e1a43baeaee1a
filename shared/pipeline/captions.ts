// Captions as the condition of a network: their words' numbers, and which of them are dropped in training, so that the network
// learns to do without (classifier-free guidance: Ho and Salimans 2022; Saharia et al. 2022, Sec. 2.2).

import type * as tf from "@tensorflow/tfjs-core";
import type { JobSpec } from "../config/schema.ts";
import { PlumeError } from "../errors.ts";
import type { Feed } from "../nn/program.ts";
import { PURPOSE, uniforms } from "../rng/stream.ts";
import { tokensOf } from "../scenes/tokens.ts";
import { MOST_WORDS } from "../scenes/words.ts";

/** int32 [n * MOST_WORDS]; null for a network that reads none. @throws PlumeError INVALID_ARGUMENT where samples have none. */
export function trainingText(
  { seed, data, model, diffusion }: JobSpec,
  captions: readonly string[] | undefined,
  at: { readonly step: number; readonly index: number },
): Int32Array | null {
  if (!model.text) return null;
  if (!captions)
    throw new PlumeError("INVALID_ARGUMENT", `data.source ${data.source} has no captions, which model.text reads`, {
      remedy: "choose a source with captions, or leave model.text out",
    });
  const tokens = tokensOf(captions);
  uniforms({ seed, purpose: PURPOSE.labelDrop, ...at }, captions.length).forEach((u, i) => {
    if (u < diffusion.labelDrop) tokens.fill(0, i * MOST_WORDS, (i + 1) * MOST_WORDS);
  });
  return tokens;
}

/** Of `rows` captions; those beyond the given ones have no word. */
export const feedText = (feed: Feed, rows: number, text: () => Int32Array | undefined): tf.Tensor1D =>
  feed([rows * MOST_WORDS], "int32", () => {
    const all = new Int32Array(rows * MOST_WORDS);
    all.set(text() ?? []);
    return all;
  }) as tf.Tensor1D;
