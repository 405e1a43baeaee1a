// The record of losses by time step that a run draws its steps by. It moves when a step is committed and never in between, so
// that whoever computes a step's micro-batches, and however often, draws alike.

import type { JobSpec } from "../../shared/config/schema.ts";
import type { LossHistory } from "../../shared/diffusion/importance.ts";
import { weightsBy, withStep } from "../../shared/pipeline/importance.ts";
import { seal } from "../../shared/rpc/sealed.ts";
import { meanOf } from "../../shared/spread.ts";
import type { Result } from "../aggregation/round.ts";
import type { AppliedStep } from "./apply.ts";

export interface Importance {
  /** Null for a job that needs none. A value: who keeps it keeps it as it is. */
  readonly history: LossHistory | null;
  /** What every lease of the next step carries; undefined while its time steps are all alike. */
  readonly sealedWeights: Buffer | undefined;
  /** Learns from a step that is committed: nothing from one whose gradient was not finite. */
  learn(applied: AppliedStep): void;
}

export function createImportance(spec: JobSpec, begun: LossHistory | null): Importance {
  let history = begun;
  return {
    get history() {
      return history;
    },
    get sealedWeights() {
      const weights = weightsBy(history);
      return weights && seal(weights);
    },
    learn({ step, results, skipped }) {
      if (history && !skipped) history = withStep(history, spec, step, sampleLosses(results));
    },
  };
}

/** Of a whole step, in the order of its micro-batches; empty for a job that needs none. */
const sampleLosses = (results: readonly Result[]): Float32Array =>
  Float32Array.from(results.flatMap(({ sampleLosses: losses = new Float32Array() }) => [...losses]));

/** Mean of the losses as they are not weighted, where they are weighted. */
export function unweightedLoss(results: readonly Result[]): number | undefined {
  const losses = sampleLosses(results);
  return losses.length === 0 ? undefined : meanOf(losses);
}
