// What models that read captions are asked for.

import type { Job, JobSpec } from "../../../../shared/config/schema.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import type { Images } from "../../../../shared/frozen/fits.ts";
import { readFrozen } from "../../../../shared/frozen/read.ts";
import { promptsOf } from "../../../../shared/pipeline/captions.ts";
import { tokensOf } from "../../../../shared/scenes/tokens.ts";
import type { TextWeights } from "../../../../shared/text/read.ts";
import { openTokenizer } from "../../../../shared/text/tokenizer.ts";

type CaptionsOf = (indices: readonly number[]) => readonly string[];

/** The prompt for all images, or without one the job's in turn; undefined for a model that reads none. */
export const captionsFor = (spec: JobSpec, prompt: string | undefined): CaptionsOf | undefined =>
  spec.model.text && ((indices) => (prompt === undefined ? promptsOf(spec, indices) : indices.map(() => prompt)));

/**
 * Whether models that draw can read a prompt, as far as their jobs say. @param specs of these.
 * @throws PlumeError INVALID_ARGUMENT where none of them reads one, or a word is none of theirs.
 */
export function checkPrompt(checkpoint: string, specs: readonly JobSpec[], prompt: string | undefined): void {
  if (prompt === undefined) return;
  const readers = specs.filter(({ model }) => model.text);
  if (readers.length === 0)
    throw new PlumeError("INVALID_ARGUMENT", `--prompt "${prompt}": ${checkpoint} reads no captions`, {
      remedy: "leave it out, or name a run whose job has model.text",
    });
  if (readers.some(({ models }) => !models.text)) tokensOf([prompt], "--prompt");
  if (prompt.trim() === "")
    throw new PlumeError("INVALID_ARGUMENT", `--prompt "${prompt}" says nothing`, {
      remedy: "say what the picture shows",
    });
}

/** The text encoder of a job that names one. @throws PlumeError INVALID_ARGUMENT for a prompt that is too long for it. */
export async function readTextFor(
  { spec }: Pick<Job, "spec">,
  images: Images,
  prompt?: string,
): Promise<TextWeights | undefined> {
  const asked = spec.models.text;
  if (!asked) return undefined;
  const { text } = await readFrozen({ ...spec, models: { text: asked } }, images);
  const tokens = prompt === undefined ? 0 : (await openTokenizer(text!.tokenizer))(prompt).length;
  if (tokens <= asked.length) return text;
  throw new PlumeError(
    "INVALID_ARGUMENT",
    `--prompt "${prompt!.slice(0, 40)}…" has ${tokens} tokens, of which the model reads ${asked.length}`,
    { remedy: "say it in fewer words" },
  );
}
