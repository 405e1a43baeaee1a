// What fits two networks that play against each other, and what fits those alone.

import { denoises, NETWORKS, type NetworkName, plays } from "../models/index.ts";
import { OBJECTIVE_NAMES, objectiveKind } from "../objectives/index.ts";
import { ofGenerators, SAMPLER_NAMES } from "../samplers/index.ts";
import { quoted, type Rule, unless } from "./rule.ts";

const TYPES = Object.keys(NETWORKS) as NetworkName[];
/** The job's network is a game, or denoises, in CEL. */
const PLAYS = `self.model.type in ${quoted(TYPES.filter(plays))}`;
export const DENOISES = `self.model.type in ${quoted(TYPES.filter(denoises))}`;

const GENERATORS = SAMPLER_NAMES.filter(ofGenerators);
/** A process that says nothing: the default. */
const NO_PROCESS = "ddpm";
/** Objectives of a game whose targets cannot be smoothed. */
const SHARP = OBJECTIVE_NAMES.filter((name) => {
  const kind = objectiveKind(name);
  return kind.asks === "players" && !kind.smooths;
});

export const ADVERSARIAL_RULES: readonly Rule[] = [
  {
    path: ["diffusion", "process"],
    faults: ({ diffusion: { process }, model: { type } }) =>
      unless(
        !plays(type) || process === NO_PROCESS,
        () => `${process}: a ${type} makes images of noise at once, by no process; leave it out`,
      ),
    cel: {
      holds: `!(${PLAYS}) || self.diffusion.process == '${NO_PROCESS}'`,
      message:
        "'%s: a %s makes images of noise at once, by no process; leave it out'.format([self.diffusion.process, self.model.type])",
    },
  },
  {
    path: ["diffusion", "timestepSampling"],
    faults: ({ diffusion: { timestepSampling }, model: { type } }) =>
      unless(
        !plays(type) || timestepSampling === "uniform",
        () => `${timestepSampling}: a ${type} is trained at no time steps; set it to uniform`,
      ),
    cel: {
      holds: `!(${PLAYS}) || self.diffusion.timestepSampling == 'uniform'`,
      message:
        "'%s: a %s is trained at no time steps; set it to uniform'.format([self.diffusion.timestepSampling, self.model.type])",
    },
  },
  {
    path: ["sampling", "sampler"],
    faults: ({ sampling: { sampler }, model: { type } }) =>
      unless(
        ofGenerators(sampler) === plays(type),
        () => `${sampler} does not draw from a ${type}; choose ${plays(type) ? GENERATORS.join(", ") : "another one"}`,
      ),
    cel: {
      holds: `(self.sampling.sampler in ${quoted(GENERATORS)}) == (${PLAYS})`,
      message: `'%s does not draw from a %s; choose %s'.format([self.sampling.sampler, self.model.type, ${PLAYS} ? '${GENERATORS.join(", ")}' : 'another one'])`,
    },
  },
  {
    path: ["sampling", "steps"],
    faults: ({ sampling: { steps }, model: { type } }) =>
      unless(!plays(type) || steps === 1, () => `${steps}: a ${type} draws in one evaluation; set it to 1`),
    cel: {
      holds: `!(${PLAYS}) || self.sampling.steps == 1`,
      message: "'%d: a %s draws in one evaluation; set it to 1'.format([self.sampling.steps, self.model.type])",
    },
  },
  {
    path: ["sampling", "guidance"],
    faults: ({ sampling: { guidance }, model: { type } }) =>
      unless(
        !plays(type) || guidance === 1,
        () => `${guidance} mixes two predictions of x_0, which a ${type} does not make; set it to 1`,
      ),
    cel: {
      holds: `!(${PLAYS}) || self.sampling.guidance == 1.0`,
      message:
        "'%s mixes two predictions of x_0, which a %s does not make; set it to 1'.format([self.sampling.guidance, self.model.type])",
    },
  },
  {
    path: ["adversarial", "labelSmoothing"],
    faults: ({ adversarial: { labelSmoothing }, diffusion: { objective } }) =>
      unless(
        labelSmoothing === 0 || !SHARP.includes(objective),
        () => `${labelSmoothing}: ${objective} has no target to smooth; set it to 0, or choose non-saturating`,
      ),
    cel: {
      holds: `self.adversarial.labelSmoothing == 0.0 || !(self.diffusion.objective in ${quoted(SHARP)})`,
      message:
        "'%s: %s has no target to smooth; set it to 0, or choose non-saturating'.format([self.adversarial.labelSmoothing, self.diffusion.objective])",
    },
  },
];
