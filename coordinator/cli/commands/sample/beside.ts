// The other models that one draws with: the job's, or those that are named.

import type { ReadModel } from "../../../../shared/interop/load-model.ts";
import type { Beside } from "../../drawing/messages.ts";
import { readGuide } from "../../guide.ts";
import { checkDecoding, readDecoding } from "./prior.ts";
import { readTextFor } from "./prompt.ts";

interface Asked {
  /** --classifier */
  readonly classifier?: string | undefined;
  /** --prior */
  readonly prior?: string | undefined;
}

/** @throws PlumeError that names the option or the job's field of what does not fit, or is not there. */
export async function readBeside(checkpoint: string, { job, imageSet }: ReadModel, asked: Asked): Promise<Beside> {
  const { spec } = job;
  const decoding = await readDecoding(checkpoint, spec, imageSet, asked.prior);
  checkDecoding(checkpoint, spec, decoding);
  const classifier = await readGuide(asked.classifier, spec, imageSet);
  return { classifier, text: await readTextFor(job, imageSet), ...decoding };
}
