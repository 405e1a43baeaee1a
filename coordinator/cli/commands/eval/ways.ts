// The ways to draw that are compared on the same weights: every combination of the values that are listed.

import type { JobSpec } from "../../../../shared/config/schema.ts";
import type { LabelledImages } from "../../../../shared/eval/score.ts";
import type { FrozenNetwork } from "../../../../shared/pipeline/frozen.ts";
import type { CommandIo } from "../../action.ts";
import { scaleOf } from "../../guide.ts";
import { parseSampling, type Sampling, type SamplingOptions, samplingFor } from "../../sampling.ts";
import { generateImages, type Model } from "./stages.ts";

export interface Way extends Sampling {
  /** Where a classifier guides. */
  readonly classifierScale?: number | undefined;
}

export interface WayOptions extends Omit<SamplingOptions, "seed"> {
  readonly classifierScale?: string;
}

export const listOf = (text: string): string[] => text.split(",").map((each) => each.trim());

/** Checks what is listed before anything is opened. @returns the ways of a model. @throws PlumeError INVALID_ARGUMENT, both times. */
export function waysOf(options: WayOptions): (spec: JobSpec, classifier: FrozenNetwork | undefined) => readonly Way[] {
  const asked = combinations(options).map(({ classifierScale, ...rest }) => ({
    asked: parseSampling({ ...rest, seed: "0" }),
    classifierScale,
  }));
  return (spec, classifier) =>
    asked.map((each) => ({
      ...samplingFor(spec, each.asked),
      classifierScale:
        each.classifierScale === undefined
          ? classifier && (spec.sampling.classifierScale ?? 1)
          : scaleOf("--classifier-scale", each.classifierScale, classifier),
    }));
}

function combinations({ eta, sampler, steps, guidance, classifierScale }: WayOptions): WayOptions[] {
  let all: WayOptions[] = [eta === undefined ? {} : { eta }];
  for (const [field, values] of Object.entries({ sampler, steps, guidance, classifierScale }))
    if (values !== undefined) all = all.flatMap((way) => listOf(values).map((value) => ({ ...way, [field]: value })));
  return all;
}

export function tell({ sampler, steps, guidance, classifierScale }: Way): string {
  const scale = classifierScale === undefined ? "" : `, classifier scale ${classifierScale}`;
  return `${sampler}, ${steps} steps, guidance ${guidance}${scale}`;
}

/** One a stage and way. @param score of the images of a seed. */
export async function drawnRows<S>(
  io: CommandIo,
  model: Model,
  asked: { readonly count: number; readonly seeds: readonly number[]; readonly ways: readonly Way[] },
  score: (images: LabelledImages) => S,
) {
  const { count, seeds, ways } = asked;
  const rows = [];
  for (const { name: stage, step, load } of model.stages) {
    load();
    for (const way of ways) {
      const name = `${stage}, step ${step}${ways.length > 1 ? `: ${tell(way)}` : ""}`;
      const before = model.evaluations();
      const scores: S[] = [];
      for (const seed of seeds) {
        const onBatch = (done: number) => {
          if (done % 80 === 0) io.note(`  ${name}, seed ${seed}: ${done} of ${count} images`);
        };
        scores.push(score(await generateImages(model, { ...way, count, seed, signal: io.signal, onBatch })));
      }
      const evaluations = (model.evaluations() - before) / (seeds.length * count);
      const { seed: _, ...drawn } = way;
      rows.push({ kind: "generated" as const, name, scores, drawn: { step, ...drawn, evaluations } });
    }
  }
  return rows;
}
