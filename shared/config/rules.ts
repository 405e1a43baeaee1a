// Arithmetic between the fields of a job, each rule in both languages in which it is asked: TypeScript where plume reads a
// job, and CEL where a cluster's API server does (k8s/crd puts it there).

import {
  ATTENTIVE,
  AUGMENTED,
  denoises,
  draws,
  GIVES,
  type Gives,
  givesImages,
  NETWORK_NAMES,
  NETWORKS,
  PYRAMIDS,
} from "../models/index.ts";
import { OBJECTIVE_NAMES, objectiveKind } from "../objectives/index.ts";
import { judges } from "../objectives/objective.ts";
import { fitsPrediction, fitsProcess, fitting, SAMPLER_NAMES, walksChains } from "../samplers/index.ts";
import { ADVERSARIAL_RULES } from "./adversarial-rules.ts";
import { CHAIN, CHAIN_RULES } from "./chain-rules.ts";
import { CODE_RULES } from "./code-rules.ts";
import { DIFFUSION_RULES } from "./diffusion-rules.ts";
import { EMBEDDING_RULES } from "./embedding-rules.ts";
import { DENOISES, GENERATOR_RULES } from "./generator-rules.ts";
import { LOW_RES_RULES } from "./low-res-rules.ts";
import { type Checked, quoted, type Rule, unless } from "./rule.ts";
import { SAMPLING_RULES } from "./sampling-rules.ts";
import { TEXT_RULES } from "./text-rules.ts";

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

/** Samplers that do not fit every process. */
const PICKY = SAMPLER_NAMES.filter((name) => fitting(name) !== undefined);
/** Those that draw from consistency functions. */
const OF_FUNCTIONS = SAMPLER_NAMES.filter((name) => fitsPrediction(name, "consistency"));

/** Networks that have levels, and those that have groups and attention. */
const isPyramid = ({ model }: Checked): boolean => PYRAMIDS.includes(model.type);
const attends = ({ model }: Checked): boolean => ATTENTIVE.includes(model.type);
const FLAT = `!(self.model.type in ${quoted(PYRAMIDS)})`;
const PLAIN = `!(self.model.type in ${quoted(ATTENTIVE)})`;

/** Networks by what they give, and the objectives that judge it. */
const GIVEN = GIVES.filter((gives) => NETWORK_NAMES.some((type) => NETWORKS[type].gives === gives));
const giving = (gives: Gives) => NETWORK_NAMES.filter((type) => NETWORKS[type].gives === gives);
const judging = (gives: Gives) => OBJECTIVE_NAMES.filter((name) => judges(objectiveKind(name), gives));
/** The job's network draws no pictures; it draws nothing at all: in CEL. */
const SHOWS_NONE = `self.model.type in ${quoted(NETWORK_NAMES.filter((type) => !givesImages(type)))}`;
const TELLS = `self.model.type in ${quoted(NETWORK_NAMES.filter((type) => !draws(type)))}`;

const OBJECTIVES_TO_CHOOSE = GIVEN.reduceRight((rest, gives) => {
  const names = `'${judging(gives).join(", ")}'`;
  return rest === "" ? names : `self.model.type in ${quoted(giving(gives))} ? ${names} : ${rest}`;
}, "");

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
    path: ["data", "augment"],
    faults: ({ data: { augment }, model: { type } }) =>
      unless(
        augment === 0 || AUGMENTED.includes(type),
        () => `${augment}: a ${type} cannot be told how an image was augmented; choose ${AUGMENTED.join(", ")}, or 0`,
      ),
    cel: {
      holds: `self.data.augment == 0.0 || self.model.type in ${quoted(AUGMENTED)}`,
      message: `'%s: a %s cannot be told how an image was augmented; choose ${AUGMENTED.join(", ")}, or 0'.format([self.data.augment, self.model.type])`,
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
          `${levels} levels divide ${size} pixels by ${2 ** (levels - 1)}, which leaves a remainder; use fewer levels or another imageSize`,
      );
    },
    cel: {
      holds: `${FLAT} || ${LEVELS} == 0 || !(${WHOLE}) || ${PIXELS} % ${MOST_HALVED} == 0`,
      message: `'%d levels divide %d pixels by %d, which leaves a remainder; use fewer levels or another imageSize'.format([${LEVELS}, ${PIXELS}, ${MOST_HALVED}])`,
    },
  },
  {
    path: ["model", "levelBlocks"],
    faults: ({ model: { levelBlocks, channelMult } }) =>
      unless(
        levelBlocks === undefined || levelBlocks.length === channelMult.length,
        () => `lists ${levelBlocks!.length}, channelMult has ${channelMult.length}; give a number for each level`,
      ),
    cel: {
      holds: `!has(self.model.levelBlocks) || size(self.model.levelBlocks) == ${LEVELS}`,
      message: `'lists %d, channelMult has %d; give a number for each level'.format([size(self.model.levelBlocks), ${LEVELS}])`,
    },
  },
  {
    path: ["model", "groups"],
    faults: (spec) => {
      const { channels, channelMult, groups } = spec.model;
      return channelMult.flatMap((mult, level) =>
        unless(
          !attends(spec) || (channels * mult) % groups === 0,
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
          !attends(spec) || !isWhole(spec) || known.includes(r),
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
  ...DIFFUSION_RULES,
  {
    path: ["diffusion", "objective"],
    faults: ({ diffusion: { objective }, model: { type } }) => {
      const { gives } = NETWORKS[type];
      return unless(
        judges(objectiveKind(objective), gives),
        () => `${objective} does not judge what the network ${type} gives; choose ${judging(gives).join(", ")}`,
      );
    },
    cel: {
      holds: GIVEN.map(
        (gives) =>
          `(self.model.type in ${quoted(giving(gives))} && self.diffusion.objective in ${quoted(judging(gives))})`,
      ).join(" || "),
      message: `'%s does not judge what the network %s gives; choose %s'.format([self.diffusion.objective, self.model.type, ${OBJECTIVES_TO_CHOOSE}])`,
    },
  },
  {
    path: ["model", "classes"],
    faults: ({ model: { type, classes } }) =>
      unless(
        NETWORKS[type].gives !== "classes" || classes > 0,
        () => `${classes} leaves a ${type} nothing to tell apart; set it to the number of the data set's classes`,
      ),
    cel: {
      holds: `!(self.model.type in ${quoted(giving("classes"))}) || self.model.classes > 0`,
      message:
        "'%d leaves a %s nothing to tell apart; set it to the number of the data set\\'s classes'.format([self.model.classes, self.model.type])",
    },
  },
  {
    path: ["sampling", "everySteps"],
    faults: ({ model: { type }, sampling: { everySteps } }) =>
      unless(givesImages(type) || everySteps === 0, () => `${everySteps}: a ${type} draws no pictures; leave it out`),
    cel: {
      holds: `!(${SHOWS_NONE}) || self.sampling.everySteps == 0`,
      message: "'%d: a %s draws no pictures; leave it out'.format([self.sampling.everySteps, self.model.type])",
    },
  },
  {
    path: ["sampling", "sampler"],
    faults: ({ sampling: { sampler }, diffusion: { process }, model: { type } }) =>
      unless(
        fitsProcess(sampler, process) || !draws(type),
        () => `${sampler} does not fit the process ${process}; choose one that does`,
      ),
    cel: {
      holds: `${TELLS} || ${[
        `(self.sampling.sampler in ${quoted(SAMPLER_NAMES.filter(walksChains))}) == ${CHAIN}`,
        ...PICKY.map(
          (name) => `(self.sampling.sampler != '${name}' || self.diffusion.process in ${quoted(fitting(name)!)})`,
        ),
      ].join(" && ")}`,
      message:
        "'%s does not fit the process %s; choose one that does'.format([self.sampling.sampler, self.diffusion.process])",
    },
  },
  {
    path: ["sampling", "sampler"],
    faults: ({ sampling: { sampler }, diffusion: { predict } }) =>
      unless(
        fitsPrediction(sampler, predict),
        () =>
          `${sampler} does not draw from what predicts ${predict}; choose ${OF_FUNCTIONS.join(", ")} for predict consistency, and for no other`,
      ),
    cel: {
      holds: `(self.sampling.sampler in ${quoted(OF_FUNCTIONS)}) == (self.diffusion.predict == 'consistency')`,
      message: `'%s does not draw from what predicts %s; choose ${OF_FUNCTIONS.join(", ")} for predict consistency, and for no other'.format([self.sampling.sampler, self.diffusion.predict])`,
    },
  },
  {
    path: ["sampling", "steps"],
    faults: ({ sampling, diffusion: { process, timesteps }, model: { type } }) =>
      unless(
        process !== "ddpm" || sampling.steps <= timesteps || !draws(type),
        () => `${sampling.steps} is above diffusion.timesteps ${timesteps}; take fewer steps, or more timesteps`,
      ),
    cel: {
      holds: `${TELLS} || self.diffusion.process != 'ddpm' || self.sampling.steps <= self.diffusion.timesteps`,
      message:
        "'%d is above diffusion.timesteps %d; take fewer steps, or more timesteps'.format([self.sampling.steps, self.diffusion.timesteps])",
    },
  },
  {
    path: ["sampling", "guidance"],
    faults: ({ sampling: { guidance }, model: { classes, text, embedding } }) =>
      unless(
        guidance === 1 || classes > 0 || text !== undefined || embedding !== undefined,
        () => `${guidance} needs class labels or captions; set model.classes or model.text, or guidance 1`,
      ),
    cel: {
      holds:
        "self.sampling.guidance == 1.0 || self.model.classes > 0 || has(self.model.text) || has(self.model.embedding)",
      message:
        "'%s needs class labels or captions; set model.classes or model.text, or guidance 1'.format([self.sampling.guidance])",
    },
  },
  {
    path: ["sampling", "classifierScale"],
    faults: ({ sampling: { classifierScale }, models: { classifier } }) =>
      unless(
        classifierScale === undefined || classifier !== undefined,
        () => `${classifierScale} needs a classifier that guides; name one in models.classifier, or leave it out`,
      ),
    cel: {
      holds: "!has(self.sampling.classifierScale) || has(self.models.classifier)",
      message:
        "'%s needs a classifier that guides; name one in models.classifier, or leave it out'.format([self.sampling.classifierScale])",
    },
  },
  {
    path: ["models", "classifier"],
    faults: ({ models: { classifier }, model: { type } }) =>
      unless(
        classifier === undefined || denoises(type),
        () => `guides what denoises, which a ${type} does not; leave it out`,
      ),
    cel: {
      holds: `!has(self.models.classifier) || ${DENOISES}`,
      message: "'guides what denoises, which a %s does not; leave it out'.format([self.model.type])",
    },
  },
  ...SAMPLING_RULES,
  ...CHAIN_RULES,
  ...LOW_RES_RULES,
  ...GENERATOR_RULES,
  ...ADVERSARIAL_RULES,
  ...TEXT_RULES,
  ...EMBEDDING_RULES,
  ...CODE_RULES,
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
