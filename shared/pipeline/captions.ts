// Captions as the condition of a network: the numbers that it is told of their words, and which of them are dropped in training, so that
// the network learns to do without (classifier-free guidance: Ho and Salimans 2022; Saharia et al. 2022, Sec. 2.2).

import type * as tf from "@tensorflow/tfjs-core";
import type { JobSpec } from "../config/schema.ts";
import { PlumeError } from "../errors.ts";
import type { Feed, MakeProgram } from "../nn/program.ts";
import { PURPOSE, uniforms } from "../rng/stream.ts";
import { inTurn, PROMPTS } from "../scenes/prompts.ts";
import { tokensOf } from "../scenes/tokens.ts";
import { MOST_WORDS } from "../scenes/words.ts";
import { type EncoderWeights, isClip, openWords } from "./caption-encoder.ts";

/** Of n captions, caption by caption, [n * size]: numbers of words, or words of a frozen encoder; 0 where there are none. */
export type CaptionNumbers = Int32Array | Float32Array;

/** Captions to what a network is told of them. */
export type ReadCaptions = (captions: readonly string[]) => Promise<CaptionNumbers>;

type Told = Pick<JobSpec, "model" | "models">;

/** What a job's images are asked for where nobody says, a column each. */
export const jobPrompts = ({ sampling }: Pick<JobSpec, "sampling">): readonly string[] => sampling.prompts ?? PROMPTS;

/**
 * Whether captions may be of any words: the prior of a decoder knows those of scenes alone, as a clip does. @param encoder of the job's
 * models.text; without it, whether they may as far as the job says.
 */
export const readsAnyWords = ({ model, models }: Told, encoder?: EncoderWeights): boolean =>
  models.text !== undefined && model.embedding === undefined && !(encoder && isClip(encoder));

/** Of images of the endless grid. */
export const promptsOf = (spec: Pick<JobSpec, "sampling">, indices: readonly number[]): string[] =>
  inTurn(jobPrompts(spec), indices);

/** Of a network that learns the words of scenes. @throws PlumeError INVALID_ARGUMENT for a word that no scene has. */
export const readScenes: ReadCaptions = async (captions) => tokensOf(captions);

/** As a job's network reads them. @param encoder of the job's models.text. */
export async function openCaptions(
  { model, models }: Told,
  encoder: EncoderWeights | undefined,
  program: MakeProgram,
): Promise<ReadCaptions> {
  if (!encoder || !models.text) return readScenes;
  const { length } = models.text;
  const { width } = model.text!;
  const encode = await openWords(encoder, length, program);
  return async (captions) => {
    const numbers = new Float32Array(captions.length * length * (width + 1));
    for (const [i, caption] of captions.entries()) {
      const words = await encode(caption);
      for (let k = 0; k < words.length / width; k++) {
        const at = (i * length + k) * (width + 1);
        numbers.set(words.subarray(k * width, (k + 1) * width), at);
        numbers[at + width] = 1;
      }
    }
    return numbers;
  };
}

/** How many numbers a caption is to a job's network, and of what kind. */
const formOf = ({ model, models }: Told) =>
  models.text
    ? { dtype: "float32" as const, size: models.text.length * (model.text!.width + 1) }
    : { dtype: "int32" as const, size: MOST_WORDS };

/** Null for a network that reads none. @throws PlumeError INVALID_ARGUMENT where samples have none. */
export async function trainingText(
  spec: JobSpec,
  captions: readonly string[] | undefined,
  at: { readonly step: number; readonly index: number },
  read: ReadCaptions,
): Promise<CaptionNumbers | null> {
  const { seed, data, model, diffusion } = spec;
  if (!model.text) return null;
  if (!captions)
    throw new PlumeError("INVALID_ARGUMENT", `data.source ${data.source} has no captions, which model.text reads`, {
      remedy: "choose a source with captions, or leave model.text out",
    });
  const numbers = await read(captions);
  const { size } = formOf(spec);
  uniforms({ seed, purpose: PURPOSE.labelDrop, ...at }, captions.length).forEach((u, i) => {
    if (u < diffusion.labelDrop) numbers.fill(0, i * size, (i + 1) * size);
  });
  return numbers;
}

/** Of `rows` captions; those beyond the given ones have no word. */
export function feedText(feed: Feed, spec: Told, rows: number, text: () => CaptionNumbers | undefined): tf.Tensor1D {
  const { dtype, size } = formOf(spec);
  return feed([rows * size], dtype, () => {
    const all = dtype === "int32" ? new Int32Array(rows * size) : new Float32Array(rows * size);
    all.set(text() ?? []);
    return all;
  }) as tf.Tensor1D;
}
