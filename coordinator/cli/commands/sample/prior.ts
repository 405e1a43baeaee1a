// What is drawn with other models: a decoder of CLIP's embeddings with its clip, and a prior that draws embeddings of captions; codes with
// their dvae.

import type { JobSpec } from "../../../../shared/config/schema.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import type { Images } from "../../../../shared/frozen/fits.ts";
import { readFrozen } from "../../../../shared/frozen/read.ts";
import type { Beside } from "../../drawing/messages.ts";
import { placeOf } from "../../guide.ts";

export const PRIOR_OPTION = [
  "--prior <checkpoint>",
  "of a decoder of CLIP's embeddings: what draws them of captions (default: the job's models.prior)",
] as const;

export type Decoding = Pick<Beside, "clip" | "prior" | "dvae">;

/** The job's, or the prior that is named; nothing for another model. @throws PlumeError that names the option or the job's field. */
export async function readDecoding(
  checkpoint: string,
  spec: JobSpec,
  images: Images,
  asked: string | undefined,
): Promise<Decoding> {
  const { model, models } = spec;
  if (model.embedding === undefined) {
    const { dvae } = models;
    if (asked === undefined) return dvae ? readFrozen({ ...spec, models: { dvae } }, images) : {};
    throw new PlumeError("INVALID_ARGUMENT", `--prior ${asked}: ${checkpoint} is told no embeddings of CLIP`, {
      remedy: "leave it out, or name a run whose job has model.embedding, such as deploy/jobs/decoder.yaml",
    });
  }
  const prior = asked === undefined ? models.prior : { from: placeOf(asked), weights: "ema" as const };
  const named = { clip: models.clip, ...(prior && { prior }) };
  return readFrozen({ ...spec, models: named }, images, (name) =>
    name === "prior" && asked !== undefined ? `--prior ${asked}` : `models.${name}`,
  );
}

/** @throws PlumeError FAILED_PRECONDITION for a decoder that nothing tells what to draw. */
export function checkDecoding(checkpoint: string, { model }: JobSpec, { prior }: Decoding): void {
  if (model.embedding === undefined || prior) return;
  throw new PlumeError("FAILED_PRECONDITION", `${checkpoint} draws images of CLIP's embeddings, and has no prior`, {
    remedy:
      "add --prior CHECKPOINT, a run of deploy/jobs/prior.yaml or ar-prior.yaml that was trained with the same models.clip",
  });
}
