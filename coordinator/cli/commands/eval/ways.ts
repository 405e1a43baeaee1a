// The ways to draw that are compared on the same weights: every combination of the values that are listed.

import type { JobSpec } from "../../../../shared/config/schema.ts";
import { counted } from "../../../../shared/counted.ts";
import { scaleOf } from "../../guide.ts";
import { parseSampling, type Sampling, type SamplingOptions, samplingFor } from "../../sampling.ts";

export interface Way extends Omit<Sampling, "seed"> {
  /** Where a classifier guides. */
  readonly classifierScale?: number | undefined;
}

export interface WayOptions extends Omit<SamplingOptions, "seed"> {
  readonly classifierScale?: string;
}

export const listOf = (text: string): string[] => text.split(",").map((each) => each.trim());

/** Checks what is listed before anything is opened. @returns the ways of a model. @throws PlumeError INVALID_ARGUMENT, both times. */
export function waysOf(options: WayOptions): (spec: JobSpec, classifier: object | undefined) => readonly Way[] {
  const asked = combinations(options).map(({ classifierScale, ...rest }) => ({
    asked: parseSampling({ ...rest, seed: "0" }),
    classifierScale,
  }));
  return (spec, classifier) =>
    asked.map((each) => {
      const { seed: _, ...sampling } = samplingFor(spec, each.asked);
      const classifierScale =
        each.classifierScale === undefined
          ? classifier && (spec.sampling.classifierScale ?? 1)
          : scaleOf("--classifier-scale", each.classifierScale, classifier);
      return { ...sampling, classifierScale };
    });
}

const LISTED = ["sampler", "steps", "guidance", "grid", "threshold", "percentile", "classifierScale"] as const;

function combinations({ eta, ...options }: WayOptions): WayOptions[] {
  let all: WayOptions[] = [eta === undefined ? {} : { eta }];
  for (const [field, values] of LISTED.map((each) => [each, options[each]] as const))
    if (values !== undefined) all = all.flatMap((way) => listOf(values).map((value) => ({ ...way, [field]: value })));
  return all;
}

export function tell({ sampler, steps, guidance, grid, threshold, percentile, classifierScale }: Way): string {
  const more = { grid, threshold, percentile, "classifier scale": classifierScale };
  const told = Object.entries(more).flatMap(([name, value]) => (value === undefined ? [] : [`, ${name} ${value}`]));
  return `${sampler}, ${counted(steps, "step")}, guidance ${guidance}${told.join("")}`;
}
