// What of sampling fits its sampler.

import { fitting, SAMPLER_NAMES, type SamplerName, scalesNoise, seesX0, takesGrid } from "../samplers/index.ts";
import { quoted, type Rule, unless } from "./rule.ts";

const NAMES = {
  eta: SAMPLER_NAMES.filter(scalesNoise),
  grid: SAMPLER_NAMES.filter(takesGrid),
  x0: SAMPLER_NAMES.filter(seesX0),
};
/** Of the samplers that fit any process, the ones to name. */
const FOR_EXAMPLE = NAMES.grid.filter((name) => fitting(name) === undefined).slice(0, 2);
/** Of those whose noise eta scales. */
const SCALED = "ddim, euler-ancestral" satisfies `${SamplerName}, ${SamplerName}`;

export const SAMPLING_RULES: readonly Rule[] = [
  {
    path: ["sampling", "eta"],
    faults: ({ sampling: { eta, sampler } }) =>
      unless(
        eta === undefined || scalesNoise(sampler),
        () => `${eta} scales the noise of samplers such as ${SCALED}; that of ${sampler} is its own, so leave it out`,
      ),
    cel: {
      holds: `!has(self.sampling.eta) || self.sampling.sampler in ${quoted(NAMES.eta)}`,
      message: `'%s scales the noise of samplers such as ${SCALED}; that of %s is its own, so leave it out'.format([self.sampling.eta, self.sampling.sampler])`,
    },
  },
  {
    path: ["sampling", "grid"],
    faults: ({ sampling: { grid, sampler } }) =>
      unless(
        grid === undefined || takesGrid(sampler),
        () =>
          `${grid} is for samplers that walk any levels of noise, such as ${FOR_EXAMPLE.join(", ")}; ${sampler} has its own, so leave it out`,
      ),
    cel: {
      holds: `!has(self.sampling.grid) || self.sampling.sampler in ${quoted(NAMES.grid)}`,
      message: `'%s is for samplers that walk any levels of noise, such as ${FOR_EXAMPLE.join(", ")}; %s has its own, so leave it out'.format([self.sampling.grid, self.sampling.sampler])`,
    },
  },
  {
    path: ["sampling", "threshold"],
    faults: ({ sampling: { threshold, sampler } }) =>
      unless(
        threshold === undefined || seesX0(sampler),
        () => `${threshold} is of predictions of x_0, which ${sampler} does not see; leave it out`,
      ),
    cel: {
      holds: `!has(self.sampling.threshold) || self.sampling.sampler in ${quoted(NAMES.x0)}`,
      message:
        "'%s is of predictions of x_0, which %s does not see; leave it out'.format([self.sampling.threshold, self.sampling.sampler])",
    },
  },
  {
    path: ["sampling", "percentile"],
    faults: ({ sampling: { percentile, threshold } }) =>
      unless(
        percentile === undefined || threshold === "dynamic",
        () => `${percentile} is of the threshold dynamic; set that too, or leave it out`,
      ),
    cel: {
      holds: "!has(self.sampling.percentile) || (has(self.sampling.threshold) && self.sampling.threshold == 'dynamic')",
      message: "'%s is of the threshold dynamic; set that too, or leave it out'.format([self.sampling.percentile])",
    },
  },
];
