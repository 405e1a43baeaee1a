// What models that read captions are asked for.

import type { JobSpec } from "../../../../shared/config/schema.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import { promptsOf } from "../../../../shared/scenes/prompts.ts";

type CaptionsOf = (indices: readonly number[]) => readonly string[];

/** A decoder's captions are its prior's to read. */
const reads = ({ model }: JobSpec): boolean => model.text !== undefined || model.embedding !== undefined;

/** The prompt for all images, or without one fixed ones in turn; undefined for a model that reads none. */
export const captionsFor = (spec: JobSpec, prompt: string | undefined): CaptionsOf | undefined =>
  reads(spec) ? (indices) => (prompt === undefined ? promptsOf(indices) : indices.map(() => prompt)) : undefined;

/** @param specs of the models that draw. @throws PlumeError INVALID_ARGUMENT where none of them reads a prompt. */
export function checkPrompt(checkpoint: string, specs: readonly JobSpec[], prompt: string | undefined): void {
  if (prompt === undefined || specs.some(reads)) return;
  throw new PlumeError("INVALID_ARGUMENT", `--prompt "${prompt}": ${checkpoint} reads no captions`, {
    remedy: "leave it out, or name a run whose job has model.text or model.embedding",
  });
}
