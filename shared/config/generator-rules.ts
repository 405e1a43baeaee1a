// What fits networks that make images by no process, and what fits those alone.

import { denoises, generates, MAKERS, mixes, NETWORK_NAMES } from "../models/index.ts";
import { ofGenerators, SAMPLER_NAMES } from "../samplers/index.ts";
import { quoted, type Rule, unless } from "./rule.ts";

/** The job's network makes images by no process, mixes predictions, or denoises, in CEL. */
const GENERATES = `self.model.type in ${quoted(NETWORK_NAMES.filter(generates))}`;
const MIXES = `self.model.type in ${quoted(NETWORK_NAMES.filter(mixes))}`;
export const DENOISES = `self.model.type in ${quoted(NETWORK_NAMES.filter(denoises))}`;

/** Those that see images as they are. */
const TIMELESS = NETWORK_NAMES.filter((type) => generates(type) || MAKERS.includes(type));
const IS_TIMELESS = `self.model.type in ${quoted(TIMELESS)}`;

const GENERATORS = SAMPLER_NAMES.filter(ofGenerators);
/** A process that says nothing: the default. */
const NO_PROCESS = "ddpm";

export const GENERATOR_RULES: readonly Rule[] = [
  {
    path: ["diffusion", "process"],
    faults: ({ diffusion: { process }, model: { type } }) =>
      unless(
        !TIMELESS.includes(type) || process === NO_PROCESS,
        () => `${process}: a ${type} is trained by no process; leave it out`,
      ),
    cel: {
      holds: `!(${IS_TIMELESS}) || self.diffusion.process == '${NO_PROCESS}'`,
      message: "'%s: a %s is trained by no process; leave it out'.format([self.diffusion.process, self.model.type])",
    },
  },
  {
    path: ["diffusion", "timestepSampling"],
    faults: ({ diffusion: { timestepSampling }, model: { type } }) =>
      unless(
        !TIMELESS.includes(type) || timestepSampling === "uniform",
        () => `${timestepSampling}: a ${type} is trained at no time steps; set it to uniform`,
      ),
    cel: {
      holds: `!(${IS_TIMELESS}) || self.diffusion.timestepSampling == 'uniform'`,
      message:
        "'%s: a %s is trained at no time steps; set it to uniform'.format([self.diffusion.timestepSampling, self.model.type])",
    },
  },
  {
    path: ["sampling", "sampler"],
    faults: ({ sampling: { sampler }, model: { type } }) =>
      unless(
        ofGenerators(sampler) === generates(type),
        () =>
          `${sampler} does not draw from a ${type}; choose ${generates(type) ? GENERATORS.join(", ") : "another one"}`,
      ),
    cel: {
      holds: `(self.sampling.sampler in ${quoted(GENERATORS)}) == (${GENERATES})`,
      message: `'%s does not draw from a %s; choose %s'.format([self.sampling.sampler, self.model.type, ${GENERATES} ? '${GENERATORS.join(", ")}' : 'another one'])`,
    },
  },
  {
    path: ["sampling", "steps"],
    faults: ({ sampling: { steps }, model: { type } }) =>
      unless(!generates(type) || steps === 1, () => `${steps}: a ${type} draws by no steps of a process; set it to 1`),
    cel: {
      holds: `!(${GENERATES}) || self.sampling.steps == 1`,
      message: "'%d: a %s draws by no steps of a process; set it to 1'.format([self.sampling.steps, self.model.type])",
    },
  },
  {
    path: ["sampling", "guidance"],
    faults: ({ sampling: { guidance }, model: { type } }) =>
      unless(
        mixes(type) || guidance === 1,
        () => `${guidance} mixes two predictions of x_0, which a ${type} does not make; set it to 1`,
      ),
    cel: {
      holds: `${MIXES} || self.sampling.guidance == 1.0`,
      message:
        "'%s mixes two predictions of x_0, which a %s does not make; set it to 1'.format([self.sampling.guidance, self.model.type])",
    },
  },
];
