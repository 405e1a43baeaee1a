// What a run has to show so far: its newest durable checkpoint, and at the end the digest of its weights.

import { prefixOf } from "../../shared/checkpoint/manifest.ts";
import type { StatusReport } from "../../shared/control/verbs.ts";

/** Digests of the last step's weights and of their average. */
type Weights = Pick<StatusReport, "weightsSha256" | "emaSha256">;

export interface Results {
  /** A checkpoint is durable. */
  written(step: number): void;
  /** A save failed, or is tried again. */
  failing(reason: string): void;
  /** The run is over, with these weights. */
  ended(weights: Weights): void;
  view(): Pick<StatusReport, "checkpoint" | keyof Weights | "unsaved">;
}

/** @param first the step of the checkpoint that the run goes on from, if it does. */
export function createResults(store: string, first: number | null, epochMs: () => number): Results {
  const at = (step: number, atMs: number) => ({ step, url: `${store.replace(/\/$/, "")}/${prefixOf(step)}`, atMs });
  let checkpoint = first === null ? null : at(first, 0);
  let weights: Weights = { weightsSha256: null, emaSha256: null };
  let unsaved: string | null = null;
  return {
    written(step) {
      checkpoint = at(step, epochMs());
      unsaved = null;
    },
    failing(reason) {
      unsaved = reason;
    },
    ended({ weightsSha256, emaSha256 }) {
      weights = { weightsSha256, emaSha256 };
    },
    view: () => ({ checkpoint, ...weights, unsaved }),
  };
}
