// What a run's sample grid of an upsampler is drawn from: the first images that it is not trained on, where the source has
// some, shrunk. The same on every worker and for the coordinator, which shows them beside what was drawn.

import type { JobSpec } from "../config/schema.ts";
import { openImageSet } from "../data/open.ts";
import { shrunk } from "./low-res.ts";

export interface HeldOut {
  /** uint8 [n, S, S, C]. */
  readonly pixels: Uint8Array;
  /** int32 [n]; -1 without a label. */
  readonly labels: Int32Array;
  /** Where the samples have some. */
  readonly captions?: readonly string[] | undefined;
}

/** So many, from the first again where there are fewer. Undefined for another network, which needs none. */
export async function readHeldOut({ data, store, model }: JobSpec, count: number): Promise<HeldOut | undefined> {
  if (!model.lowRes || count === 0) return undefined;
  const set = await openImageSet(data, { split: "test", access: store });
  await using _closed = { [Symbol.asyncDispose]: () => set.close() };
  const ids = Array.from({ length: count }, (_, k) => k % set.size);
  const { pixels, labels, captions } = await set.read(ids);
  return { pixels: shrunk(pixels, set, model.lowRes.size), labels, captions };
}
