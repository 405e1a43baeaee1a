// What a summed gradient does: loss and norm, clip, optimizer, EMA. The vectors are at the next version then, and nobody
// knows it yet (step.ts says when it is a fact).

import type { JobSpec } from "../../shared/config/schema.ts";
import { microBatchesPerStep } from "../../shared/config/schema.ts";
import { PlumeError } from "../../shared/errors.ts";
import type { Reducer, Vector } from "../../shared/kernels/reducer.ts";
import { applyGradient, gradientNorm } from "../../shared/pipeline/update.ts";
import type { Layout } from "../../shared/tensor/layout.ts";
import type { Result } from "../aggregation/round.ts";

export interface SummedGradient {
  /** The canonical sum over all V micro-batches. */
  readonly root: Vector;
  /** What each block reported, in index order. */
  readonly results: readonly Result[];
}

export interface AppliedStep {
  readonly step: number;
  /** Mean over the global batch. */
  readonly loss: number;
  readonly gradNorm: number;
  readonly lr: number;
  readonly gradDigest: string;
  readonly skipped: boolean;
  readonly results: readonly Result[];
  readonly seconds: { readonly reduce: number; readonly optimize: number };
}

/** Applies a summed gradient to the parameters, moments and EMA. @throws PlumeError NUMERICS under `nonFinite: fail`. */
export async function applySum(
  spec: JobSpec,
  reducer: Reducer,
  step: number,
  { root, results }: SummedGradient,
  now: () => number,
): Promise<AppliedStep> {
  const V = microBatchesPerStep(spec);
  const started = now();

  // The loss and the norm, each one sum in one order.
  const losses = results.flatMap((result) => result.losses);
  const loss = losses.reduce((sum, x) => sum + x, 0) / V;
  const gradNorm = await gradientNorm(spec, reducer, root);
  const gradDigest = await reducer.digest(root);
  const reduced = now();

  // A value that is not finite never reaches the parameters.
  if (!Number.isFinite(gradNorm) && spec.training.nonFinite === "fail") {
    const where = await nameOfNonFinite(reducer, root);
    throw new PlumeError("NUMERICS", `step ${step}: the gradient of ${where} is not finite (loss ${loss})`, {
      remedy: "lower training.optimizer.lr, set training.clip, or training.nonFinite: skip",
    });
  }

  // Clip, optimizer, EMA.
  const { lr, skipped } = await applyGradient(spec, reducer, step, root, gradNorm);
  return {
    step,
    loss,
    gradNorm,
    lr,
    gradDigest,
    skipped,
    results,
    seconds: { reduce: (reduced - started) / 1000, optimize: (now() - reduced) / 1000 },
  };
}

async function nameOfNonFinite(reducer: Reducer, root: Vector): Promise<string> {
  const index = await reducer.firstNonFinite(root);
  return tensorAt(reducer.layout, index) ?? "an overflowing norm";
}

function tensorAt(layout: Layout, index: number): string | undefined {
  return index < 0 ? undefined : layout.tensors.findLast((tensor) => tensor.offset <= index)?.name;
}
