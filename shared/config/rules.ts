// Arithmetic between the fields of a job, each rule in both languages in which it is asked: TypeScript where plume reads a
// job, and CEL where a cluster's API server does (k8s/crd puts it there).

import type { ProcessName } from "../diffusion/processes/index.ts";
import { SIGMA_RANGES, sigmaRange } from "../diffusion/processes/process.ts";
import { PYRAMIDS } from "../models/index.ts";
import type { ObjectiveName } from "../objectives/index.ts";
import { fitsProcess, fitting, SAMPLER_NAMES, walksChains } from "../samplers/index.ts";
import { CHAIN, CHAIN_RULES, isChain, ofChains } from "./chain-rules.ts";
import { type Checked, quoted, type Rule, unless } from "./rule.ts";

/** As many levels as a network may have, and what each halves a picture to. */
export const MOST_LEVELS = 8;
/** Of the first level, and how often that any other one may have: whole numbers of 64 bits hold their product. */
export const MOST_CHANNELS = 65_536;
export const MOST_MULT = 1024;
const HALVINGS = `[${Array.from({ length: MOST_LEVELS }, (_, level) => 2 ** level).join(", ")}]`;

const isWhole = ({ data }: Checked): boolean => data.imageSize % data.patch === 0;
const pixels = ({ data }: Checked): number => data.imageSize / data.patch;
const WHOLE = "self.data.imageSize % self.data.patch == 0";
const PIXELS = "(self.data.imageSize / self.data.patch)";
const LEVELS = "size(self.model.channelMult)";
const MOST_HALVED = `${HALVINGS}[${LEVELS} - 1]`;

const resolutions = (spec: Checked): number[] => spec.model.channelMult.map((_, level) => pixels(spec) / 2 ** level);
/** Those of `self.model.attention` that the network does not have. */
const WITHOUT = `self.model.attention.filter(r, !${HALVINGS}.exists(h, h <= ${MOST_HALVED} && ${PIXELS} % h == 0 && ${PIXELS} / h == r))`;
/** Those of `self.model.channelMult` whose channels the groups do not divide. */
const UNEVEN = `self.model.channelMult.filter(m, self.model.channels <= ${MOST_CHANNELS} && m <= ${MOST_MULT} && self.model.channels * m % self.model.groups != 0)`;

/** As ranges by process: shared/diffusion/processes. */
const SIGMA_MIN = `(has(self.diffusion.sigmaMin) ? self.diffusion.sigmaMin : self.diffusion.process == 've' ? ${SIGMA_RANGES.ve.min} : ${SIGMA_RANGES.edm.min})`;
const SIGMA_MAX = `(has(self.diffusion.sigmaMax) ? self.diffusion.sigmaMax : self.diffusion.process == 've' ? ${SIGMA_RANGES.ve.max}.0 : ${SIGMA_RANGES.edm.max}.0)`;

/** Samplers that do not fit every process. */
const PICKY = SAMPLER_NAMES.filter((name) => fitting(name) !== undefined);
/** Processes that are stochastic differential equations. */
const SDES: readonly ProcessName[] = ["vp", "sub-vp", "ve"];
const isSde = (process: ProcessName): boolean => SDES.includes(process);

/** Objectives that teach no variance between DDPM's two. */
const NO_RANGE: readonly ObjectiveName[] = ["simple", ...ofChains];

/** Networks that have levels, groups and attention. */
const isPyramid = ({ model }: Checked): boolean => PYRAMIDS.includes(model.type);
const PLAIN = `!(self.model.type in ${quoted(PYRAMIDS)})`;

export const RULES: readonly Rule[] = [
  {
    path: ["training", "microBatch"],
    faults: ({ training: { globalBatch, microBatch } }) =>
      unless(
        globalBatch % microBatch === 0,
        () =>
          `${microBatch} does not divide globalBatch ${globalBatch}; choose a divisor, for example ${largestDivisorUpTo(globalBatch, microBatch)}`,
      ),
    cel: {
      holds: "self.training.microBatch < 1 || self.training.globalBatch % self.training.microBatch == 0",
      message:
        "'%d does not divide globalBatch %d; choose a divisor'.format([self.training.microBatch, self.training.globalBatch])",
    },
  },
  {
    path: ["data", "patch"],
    faults: (spec) =>
      unless(
        isWhole(spec),
        () => `${spec.data.patch} does not divide imageSize ${spec.data.imageSize}; choose another of the two`,
      ),
    cel: {
      holds: WHOLE,
      message:
        "'%d does not divide imageSize %d; choose another of the two'.format([self.data.patch, self.data.imageSize])",
    },
  },
  {
    path: ["model", "channelMult"],
    faults: (spec) => {
      const levels = spec.model.channelMult.length;
      const size = pixels(spec);
      return unless(
        !isPyramid(spec) || !isWhole(spec) || size % 2 ** (levels - 1) === 0,
        () =>
          `${levels} levels halve ${size} pixels ${levels - 1} times, and ${size} is not divisible by ${2 ** (levels - 1)}; use fewer levels or another imageSize`,
      );
    },
    cel: {
      holds: `${PLAIN} || ${LEVELS} == 0 || !(${WHOLE}) || ${PIXELS} % ${MOST_HALVED} == 0`,
      message: `'%d levels halve %d pixels %d times, and %d is not divisible by %d; use fewer levels or another imageSize'.format([${LEVELS}, ${PIXELS}, ${LEVELS} - 1, ${PIXELS}, ${MOST_HALVED}])`,
    },
  },
  {
    path: ["model", "groups"],
    faults: (spec) => {
      const { channels, channelMult, groups } = spec.model;
      return channelMult.flatMap((mult, level) =>
        unless(
          !isPyramid(spec) || (channels * mult) % groups === 0,
          () =>
            `${groups} does not divide the ${channels * mult} channels of level ${level}; choose a divisor of channels`,
        ),
      );
    },
    cel: {
      holds: `${PLAIN} || self.model.groups < 1 || size(${UNEVEN}) == 0`,
      message: `'%d does not divide the %d channels of level %d; choose a divisor of channels'.format([self.model.groups, self.model.channels * ${UNEVEN}[0], self.model.channelMult.indexOf(${UNEVEN}[0])])`,
    },
  },
  {
    path: ["model", "attention"],
    faults: (spec) => {
      const known = resolutions(spec);
      return spec.model.attention.flatMap((r) =>
        unless(
          !isPyramid(spec) || !isWhole(spec) || known.includes(r),
          () => `${r} is no resolution of this network; choose from its own, [${known.join(", ")}]`,
        ),
      );
    },
    cel: {
      holds: `${PLAIN} || ${LEVELS} == 0 || !(${WHOLE}) || size(${WITHOUT}) == 0`,
      message: `'%d is no resolution of this network; choose from its own, %s'.format([${WITHOUT}[0], ${HALVINGS}.filter(h, h <= ${MOST_HALVED}).map(h, ${PIXELS} / h)])`,
    },
  },
  {
    path: ["workers", "min"],
    faults: ({ workers: { min, max } }) =>
      unless(min <= max, () => `${min} is above max ${max}; lower min, or raise max`),
    cel: {
      holds: "self.workers.min <= self.workers.max",
      message: "'%d is above max %d; lower min, or raise max'.format([self.workers.min, self.workers.max])",
    },
  },
  {
    path: ["workers", "replicas"],
    faults: ({ workers: { replicas, max } }) =>
      unless(replicas <= max, () => `${replicas} is above workers.max ${max}; raise max or start fewer`),
    cel: {
      holds: "self.workers.replicas <= self.workers.max",
      message:
        "'%d is above workers.max %d; raise max or start fewer'.format([self.workers.replicas, self.workers.max])",
    },
  },
  {
    path: ["workers", "replicas"],
    faults: ({ workers: { replicas, perPod } }) =>
      unless(
        replicas % perPod === 0,
        () => `${replicas} processes do not fill pods of ${perPod}; choose a multiple of workers.perPod`,
      ),
    cel: {
      holds: "self.workers.perPod < 1 || self.workers.replicas % self.workers.perPod == 0",
      message:
        "'%d processes do not fill pods of %d; choose a multiple of workers.perPod'.format([self.workers.replicas, self.workers.perPod])",
    },
  },
  {
    path: ["diffusion", "timesteps"],
    faults: ({ diffusion: { schedule, timesteps } }) =>
      unless(
        schedule !== "linear" || timesteps > 20,
        () =>
          `${timesteps} is too few for the linear schedule, whose betas reach 1 at 20; use more than 20, or the cosine schedule`,
      ),
    cel: {
      holds: "self.diffusion.schedule != 'linear' || self.diffusion.timesteps > 20",
      message:
        "'%d is too few for the linear schedule, whose betas reach 1 at 20; use more than 20, or the cosine schedule'.format([self.diffusion.timesteps])",
    },
  },
  {
    path: ["diffusion", "betaMax"],
    faults: ({ diffusion: { betaMin, betaMax } }) =>
      unless(betaMin <= betaMax, () => `${betaMax} is below betaMin ${betaMin}; lower betaMin, or raise betaMax`),
    cel: {
      holds: "self.diffusion.betaMin <= self.diffusion.betaMax",
      message:
        "'%s is below betaMin %s; lower betaMin, or raise betaMax'.format([self.diffusion.betaMax, self.diffusion.betaMin])",
    },
  },
  {
    path: ["diffusion", "sigmaMax"],
    faults: ({ diffusion }) => {
      const { min, max } = sigmaRange(SIGMA_RANGES[diffusion.process === "ve" ? "ve" : "edm"], diffusion);
      return unless(min < max, () => `${max} is not above sigmaMin ${min}; lower sigmaMin, or raise sigmaMax`);
    },
    cel: {
      holds: `${SIGMA_MIN} < ${SIGMA_MAX}`,
      message: `'%s is not above sigmaMin %s; lower sigmaMin, or raise sigmaMax'.format([${SIGMA_MAX}, ${SIGMA_MIN}])`,
    },
  },
  {
    path: ["diffusion", "weighting"],
    faults: ({ diffusion: { weighting, process } }) =>
      unless(
        weighting === "simple" || isSde(process),
        () => `${weighting} weights by g(t)^2, which ${process} has not; use simple, or one of ${SDES.join(", ")}`,
      ),
    cel: {
      holds: `self.diffusion.weighting == 'simple' || self.diffusion.process in ${quoted(SDES)}`,
      message: `'%s weights by g(t)^2, which %s has not; use simple, or one of ${SDES.join(", ")}'.format([self.diffusion.weighting, self.diffusion.process])`,
    },
  },
  {
    path: ["diffusion", "objective"],
    faults: ({ diffusion: { objective, process } }) =>
      unless(
        objective === "simple" || process === "ddpm" || isChain(process) || ofChains.includes(objective),
        () => `${objective} is a bound of ddpm's steps, which ${process} has not; choose simple`,
      ),
    cel: {
      holds: `self.diffusion.objective in ${quoted(["simple", ...ofChains])} || self.diffusion.process == 'ddpm' || ${CHAIN}`,
      message:
        "'%s is a bound of ddpm\\'s steps, which %s has not; choose simple'.format([self.diffusion.objective, self.diffusion.process])",
    },
  },
  {
    path: ["diffusion", "variance"],
    faults: ({ diffusion: { objective, variance } }) =>
      unless(
        !NO_RANGE.includes(objective) || variance !== "learned-range",
        () =>
          `${variance} is taught by ddpm's bound, which the objective ${objective} has not; choose hybrid, or a fixed one`,
      ),
    cel: {
      holds: `!(self.diffusion.objective in ${quoted(NO_RANGE)}) || self.diffusion.variance != 'learned-range'`,
      message:
        "'%s is taught by ddpm\\'s bound, which the objective %s has not; choose hybrid, or a fixed one'.format([self.diffusion.variance, self.diffusion.objective])",
    },
  },
  {
    path: ["diffusion", "variance"],
    faults: ({ diffusion: { objective, variance } }) =>
      unless(
        objective !== "hybrid" || variance === "learned-range",
        () => `${variance} leaves the objective hybrid nothing to teach; choose learned-range`,
      ),
    cel: {
      holds: "self.diffusion.objective != 'hybrid' || self.diffusion.variance == 'learned-range'",
      message:
        "'%s leaves the objective hybrid nothing to teach; choose learned-range'.format([self.diffusion.variance])",
    },
  },
  {
    path: ["sampling", "sampler"],
    faults: ({ sampling: { sampler }, diffusion: { process } }) =>
      unless(
        fitsProcess(sampler, process),
        () => `${sampler} does not fit the process ${process}; choose one that does`,
      ),
    cel: {
      holds: [
        `(self.sampling.sampler in ${quoted(SAMPLER_NAMES.filter(walksChains))}) == ${CHAIN}`,
        ...PICKY.map(
          (name) => `(self.sampling.sampler != '${name}' || self.diffusion.process in ${quoted(fitting(name)!)})`,
        ),
      ].join(" && "),
      message:
        "'%s does not fit the process %s; choose one that does'.format([self.sampling.sampler, self.diffusion.process])",
    },
  },
  {
    path: ["sampling", "steps"],
    faults: ({ sampling, diffusion: { process, timesteps } }) =>
      unless(
        process !== "ddpm" || sampling.steps <= timesteps,
        () => `${sampling.steps} is above diffusion.timesteps ${timesteps}; take fewer steps, or more timesteps`,
      ),
    cel: {
      holds: "self.diffusion.process != 'ddpm' || self.sampling.steps <= self.diffusion.timesteps",
      message:
        "'%d is above diffusion.timesteps %d; take fewer steps, or more timesteps'.format([self.sampling.steps, self.diffusion.timesteps])",
    },
  },
  {
    path: ["sampling", "guidance"],
    faults: ({ sampling: { guidance }, model: { classes } }) =>
      unless(guidance === 1 || classes > 0, () => `${guidance} needs class labels; set model.classes, or guidance 1`),
    cel: {
      holds: "self.sampling.guidance == 1.0 || self.model.classes > 0",
      message: "'%s needs class labels; set model.classes, or guidance 1'.format([self.sampling.guidance])",
    },
  },
  ...CHAIN_RULES,
  {
    path: ["store", "endpoint"],
    // Here rather than with the field: a message about a field repeats its value.
    faults: ({ store: { endpoint = "" } }) =>
      unless(
        !/^[^/]*\/\/[^/]*@/.test(endpoint),
        () => "holds a user name or a password: they belong in the environment",
      ),
    cel: {
      holds: "!has(self.store.endpoint) || !self.store.endpoint.matches('^[^/]*//[^/]*@')",
      message: "'holds a user name or a password: they belong in the environment'",
    },
  },
];

function largestDivisorUpTo(n: number, limit: number): number {
  for (let d = Math.min(limit, n); d > 1; d--) if (n % d === 0) return d;
  return 1;
}
