// What a run has to show so far: its newest durable checkpoint, and at the end the digest of its weights.

import { prefixOf } from "../../shared/checkpoint/manifest.ts";
import type { NewestCheckpoint } from "../../shared/control/verbs.ts";

export interface Results {
  /** A checkpoint is durable. */
  written(step: number): void;
  /** The run is over, with these weights. */
  ended(weightsSha256: string): void;
  view(): { readonly checkpoint: NewestCheckpoint | null; readonly weightsSha256: string | null };
}

/** @param first the step of the checkpoint that the run goes on from, if it does. */
export function createResults(store: string, first: number | null, epochMs: () => number): Results {
  const at = (step: number, atMs: number) => ({ step, url: `${store.replace(/\/$/, "")}/${prefixOf(step)}`, atMs });
  let checkpoint = first === null ? null : at(first, 0);
  let weightsSha256: string | null = null;
  return {
    written(step) {
      checkpoint = at(step, epochMs());
    },
    ended(digest) {
      weightsSha256 = digest;
    },
    view: () => ({ checkpoint, weightsSha256 }),
  };
}
