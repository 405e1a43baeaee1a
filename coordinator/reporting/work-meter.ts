// Micro-batches of gradient rounds that were not simply computed and used.

import type { WorkCounts } from "../../shared/metrics/run/source.ts";
import type { Block } from "../../shared/tensor/tree.ts";
import type { Purpose, Round } from "../aggregation/round.ts";

export interface WorkMeter {
  readonly counts: WorkCounts;
  /** What `act` makes pending again in this round was taken from somebody. */
  reassigned<T>(round: Pick<Round<unknown>, "kind" | "pending">, act: () => T): T;
  /** A result of this block came, and is not used. */
  discarded(kind: Round<unknown>["kind"], block: Block, results?: number): void;
  copied(kind: Round<unknown>["kind"], block: Block, purpose: Purpose): void;
}

export function createWorkMeter(): WorkMeter {
  let reassigned = 0;
  let discarded = 0;
  const copied = { speculation: 0, audit: 0, settle: 0 };
  return {
    get counts() {
      return { reassigned, discarded, copied };
    },
    reassigned(round, act) {
      const before = leavesOf(round.pending);
      const done = act();
      if (round.kind === "gradient") reassigned += Math.max(0, leavesOf(round.pending) - before);
      return done;
    },
    discarded(kind, { lo, hi }, results = 1) {
      if (kind === "gradient") discarded += results * (hi - lo);
    },
    copied(kind, { lo, hi }, purpose) {
      if (kind === "gradient" && purpose !== "first") copied[purpose] += hi - lo;
    },
  };
}

const leavesOf = (blocks: readonly Block[]): number => blocks.reduce((sum, { lo, hi }) => sum + hi - lo, 0);
