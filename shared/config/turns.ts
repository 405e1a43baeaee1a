// Whose turn a step is, where two networks play against each other: n steps of the discriminator, then one of the generator. A job of
// one network has it move whole at every step. Functions of the spec and the step alone, so that whoever computes a step, applies
// it, proves it or does it again knows the same.

import { type Cycle, countOf, type SampleOrder, samplesBefore } from "../data/order.ts";
import { plays } from "../models/index.ts";
import type { JobSpec } from "./schema.ts";

type Training = JobSpec["training"];

export type Player = "generator" | "discriminator";

export interface Turn {
  /** Whose parameters move, and no others; absent where there is one network. */
  readonly player?: Player;
  readonly optimizer: Training["optimizer"];
  /** Updates of these parameters, this one included. */
  readonly count: number;
  /** Whether the average follows: a discriminator has none. */
  readonly averaged: boolean;
}

/** The steps that use samples: real images are the discriminator's to see. */
function cycleOf({ model, adversarial }: JobSpec): Cycle | undefined {
  const { discriminatorSteps: n } = adversarial;
  return plays(model.type) ? { of: n + 1, first: n } : undefined;
}

export function turnOf(spec: JobSpec, step: number): Turn {
  const { training, adversarial } = spec;
  const cycle = cycleOf(spec);
  if (!cycle) return { optimizer: training.optimizer, count: step + 1, averaged: true };
  const before = countOf(cycle, step);
  if (countOf(cycle, step + 1) === before)
    return { player: "generator", optimizer: training.optimizer, count: step + 1 - before, averaged: true };
  const own = Object.fromEntries(Object.entries(adversarial.discriminator).filter(([, value]) => value !== undefined));
  const optimizer = { ...training.optimizer, ...own };
  return { player: "discriminator", optimizer, count: before + 1, averaged: false };
}

/** Which samples each of the job's steps uses, of a set of so many. */
export function orderOf(spec: JobSpec, datasetSize: number): SampleOrder {
  const { globalBatch, microBatch } = spec.training;
  const cycle = cycleOf(spec);
  return { seed: spec.seed, datasetSize, globalBatch, microBatch, ...(cycle && { cycle }) };
}

/** Samples that so many steps use. */
export const samplesOf = (spec: JobSpec, steps: number): number =>
  samplesBefore({ globalBatch: spec.training.globalBatch, cycle: cycleOf(spec) }, steps);
