// What models that read captions are asked for.

import type { Job, JobSpec } from "../../../../shared/config/schema.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import type { Images } from "../../../../shared/frozen/fits.ts";
import { readFrozen } from "../../../../shared/frozen/read.ts";
import { type EncoderWeights, openTokens } from "../../../../shared/pipeline/caption-encoder.ts";
import { jobPrompts, readsAnyWords } from "../../../../shared/pipeline/captions.ts";
import { inTurn } from "../../../../shared/scenes/prompts.ts";
import { tokensOf } from "../../../../shared/scenes/tokens.ts";

/** A model that reads captions, and the encoder that it reads them by, where that is known. */
interface Reader {
  readonly spec: JobSpec;
  readonly text?: EncoderWeights | undefined;
}

type CaptionsOf = (indices: readonly number[]) => readonly string[];

/** A decoder's captions are its prior's to read. */
export const reads = ({ model }: JobSpec): boolean => model.text !== undefined || model.embedding !== undefined;

/**
 * What images show, in turn: the prompt, or without one what the small images show that they are drawn from, or the job's own prompts;
 * undefined where nothing was said.
 */
export const promptsFor = (
  spec: JobSpec,
  prompt: string | undefined,
  ofSmall: readonly string[] | undefined,
): readonly string[] | undefined =>
  reads(spec) && prompt !== undefined ? [prompt] : (ofSmall ?? (reads(spec) ? jobPrompts(spec) : undefined));

/** Undefined for a model that reads none. */
export const captionsFor = (spec: JobSpec, prompts: readonly string[] | undefined): CaptionsOf | undefined =>
  reads(spec) && prompts ? (indices) => inTurn(prompts, indices) : undefined;

/**
 * Whether models that draw can read a prompt, as far as their jobs say. @param specs of these.
 * @throws PlumeError INVALID_ARGUMENT where none of them reads one, or a word is none of theirs.
 */
export function checkPrompt(checkpoint: string, specs: readonly JobSpec[], prompt: string | undefined): void {
  if (prompt === undefined) return;
  const readers = specs.filter(reads).map((spec) => ({ spec }));
  if (readers.length === 0)
    throw new PlumeError("INVALID_ARGUMENT", `--prompt "${prompt}": ${checkpoint} reads no captions`, {
      remedy: "leave it out, or name a run whose job has model.text or model.embedding",
    });
  checkWords(readers, [prompt], "--prompt");
  if (prompt.trim() === "")
    throw new PlumeError("INVALID_ARGUMENT", `--prompt "${prompt}" says nothing`, {
      remedy: "say what the picture shows",
    });
}

/** @throws PlumeError INVALID_ARGUMENT for a word that one of them does not know. */
export function checkWords(readers: readonly Reader[], captions: readonly string[], called: string): void {
  if (!readers.every(({ spec, text }) => readsAnyWords(spec, text))) tokensOf(captions, called);
}

/** The text encoder of a job that names one. */
export async function readTextFor({ spec }: Pick<Job, "spec">, images: Images): Promise<EncoderWeights | undefined> {
  const { text } = spec.models;
  return text && (await readFrozen({ ...spec, models: { text } }, images)).text;
}

/**
 * @param text encoder of the job, if it has one.
 * @throws PlumeError INVALID_ARGUMENT for a prompt that is too long for it, or has a word that it lacks.
 */
export async function checkTokens(
  { models }: JobSpec,
  text: EncoderWeights | undefined,
  prompt: string | undefined,
): Promise<void> {
  if (!text || prompt === undefined) return;
  const [tokens, most] = [(await openTokens(text))(prompt, "--prompt").length, models.text!.length];
  if (tokens <= most) return;
  throw new PlumeError(
    "INVALID_ARGUMENT",
    `--prompt "${prompt.slice(0, 40)}…" has ${tokens} tokens, of which the model reads ${most}`,
    { remedy: "say it in fewer words" },
  );
}
