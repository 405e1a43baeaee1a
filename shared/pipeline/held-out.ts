// What a run's sample grid of an upsampler is drawn from, or of a decoder without a prior: the first images that it is not trained on, where
// the source has some; an upsampler's shrunk. The same on every worker and for the coordinator, which shows them beside what was drawn.

import type { JobSpec } from "../config/schema.ts";
import { openImageSet } from "../data/open.ts";
import { shrunk } from "./low-res.ts";

export interface HeldOut {
  /** uint8 [n, S, S, C]; of a decoder as large as they are. */
  readonly pixels: Uint8Array;
  /** int32 [n]; -1 without a label. */
  readonly labels: Int32Array;
  /** Where the samples have some. */
  readonly captions?: readonly string[] | undefined;
}

/** Whether images are drawn from others: small ones, or the embeddings of pictures that are there where no prior draws any. */
export const needsOthers = ({ model, models }: Pick<JobSpec, "model" | "models">): boolean =>
  model.lowRes !== undefined || (model.embedding !== undefined && models.prior === undefined);

/** So many, from the first again where there are fewer. Undefined for another network, which needs none. */
export async function readHeldOut(spec: JobSpec, count: number): Promise<HeldOut | undefined> {
  const { data, store, model } = spec;
  if (!needsOthers(spec) || count === 0) return undefined;
  const set = await openImageSet(data, { split: "test", access: store });
  await using _closed = { [Symbol.asyncDispose]: () => set.close() };
  const ids = Array.from({ length: count }, (_, k) => k % set.size);
  const { pixels, labels, captions } = await set.read(ids);
  return { pixels: model.lowRes ? shrunk(pixels, set, model.lowRes.size) : pixels, labels, captions };
}
