// What models that read captions are asked for.

import type { Job, JobSpec } from "../../../../shared/config/schema.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import type { Images } from "../../../../shared/frozen/fits.ts";
import { readFrozen } from "../../../../shared/frozen/read.ts";
import { jobPrompts, readsAnyWords } from "../../../../shared/pipeline/captions.ts";
import { tokensOf } from "../../../../shared/scenes/tokens.ts";
import type { TextWeights } from "../../../../shared/text/read.ts";
import { openTokenizer } from "../../../../shared/text/tokenizer.ts";

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
  reads(spec) && prompts ? (indices) => indices.map((k) => prompts[k % prompts.length]!) : undefined;

/**
 * Whether models that draw can read a prompt, as far as their jobs say. @param specs of these.
 * @throws PlumeError INVALID_ARGUMENT where none of them reads one, or a word is none of theirs.
 */
export function checkPrompt(checkpoint: string, specs: readonly JobSpec[], prompt: string | undefined): void {
  if (prompt === undefined) return;
  const readers = specs.filter(reads);
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

/** @param specs of models that read captions. @throws PlumeError INVALID_ARGUMENT for a word that one of them does not know. */
export function checkWords(specs: readonly JobSpec[], captions: readonly string[], called: string): void {
  if (!specs.every(readsAnyWords)) tokensOf(captions, called);
}

/** The text encoder of a job that names one. */
export async function readTextFor({ spec }: Pick<Job, "spec">, images: Images): Promise<TextWeights | undefined> {
  const { text } = spec.models;
  return text && (await readFrozen({ ...spec, models: { text } }, images)).text;
}

/** @param text encoder of the job, if it has one. @throws PlumeError INVALID_ARGUMENT for a prompt that is too long for it. */
export async function checkTokens(
  { models }: JobSpec,
  text: TextWeights | undefined,
  prompt: string | undefined,
): Promise<void> {
  if (!text || prompt === undefined) return;
  const [tokens, most] = [(await openTokenizer(text.tokenizer))(prompt).length, models.text!.length];
  if (tokens <= most) return;
  throw new PlumeError(
    "INVALID_ARGUMENT",
    `--prompt "${prompt.slice(0, 40)}…" has ${tokens} tokens, of which the model reads ${most}`,
    { remedy: "say it in fewer words" },
  );
}
