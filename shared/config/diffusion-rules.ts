// Rules of the process, of what is predicted of it, of what training makes small, and of the models that it reads.

import type { ProcessName } from "../diffusion/processes/index.ts";
import { SIGMA_RANGES, sigmaRange } from "../diffusion/processes/process.ts";
import { OBJECTIVE_NAMES, type ObjectiveName, objectiveKind } from "../objectives/index.ts";
import type { ObjectiveKind } from "../objectives/objective.ts";
import { CHAIN, isChain } from "./chain-rules.ts";
import { quoted, type Rule, unless } from "./rule.ts";

/** As ranges by process: shared/diffusion/processes. */
const SIGMA_MIN = `(has(self.diffusion.sigmaMin) ? self.diffusion.sigmaMin : self.diffusion.process == 've' ? ${SIGMA_RANGES.ve.min} : ${SIGMA_RANGES.edm.min})`;
const SIGMA_MAX = `(has(self.diffusion.sigmaMax) ? self.diffusion.sigmaMax : self.diffusion.process == 've' ? ${SIGMA_RANGES.ve.max}.0 : ${SIGMA_RANGES.edm.max}.0)`;

/** Processes that are stochastic differential equations. */
const SDES: readonly ProcessName[] = ["vp", "sub-vp", "ve"];
const isSde = (process: ProcessName): boolean => SDES.includes(process);

const objectivesThat = (hold: (kind: ObjectiveKind) => boolean): readonly ObjectiveName[] =>
  OBJECTIVE_NAMES.filter((name) => hold(objectiveKind(name)));
const TEACH_VARIANCE = objectivesThat(({ teachesVariance = false }) => teachesVariance);
const OF_CONSISTENCY = objectivesThat(({ ofConsistency = false }) => ofConsistency);
const READ_TEACHER = objectivesThat(({ teacher }) => teacher !== undefined);
const NEED_TEACHER = objectivesThat(({ teacher }) => teacher === "always");
const PICKY_OBJECTIVES = objectivesThat(({ fits }) => fits !== undefined);
const isOfConsistency = (objective: ObjectiveName): boolean => OF_CONSISTENCY.includes(objective);

export const DIFFUSION_RULES: readonly Rule[] = [
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
    path: ["diffusion", "timestepSampling"],
    faults: ({ diffusion: { timestepSampling, process } }) =>
      unless(
        timestepSampling === "uniform" || process === "ddpm",
        () => `${timestepSampling} draws the steps of ddpm, which ${process} has not; use uniform, or the process ddpm`,
      ),
    cel: {
      holds: "self.diffusion.timestepSampling == 'uniform' || self.diffusion.process == 'ddpm'",
      message:
        "'%s draws the steps of ddpm, which %s has not; use uniform, or the process ddpm'.format([self.diffusion.timestepSampling, self.diffusion.process])",
    },
  },
  {
    path: ["diffusion", "objective"],
    faults: ({ diffusion: { objective, process } }) =>
      unless(
        isChain(process) || (objectiveKind(objective).fits?.includes(process) ?? true),
        () => `${objective} is not for the process ${process}; choose simple, or another process`,
      ),
    cel: {
      holds: `${CHAIN} || ${PICKY_OBJECTIVES.map(
        (name) =>
          `(self.diffusion.objective != '${name}' || self.diffusion.process in ${quoted(objectiveKind(name).fits!)})`,
      ).join(" && ")}`,
      message:
        "'%s is not for the process %s; choose simple, or another process'.format([self.diffusion.objective, self.diffusion.process])",
    },
  },
  {
    path: ["diffusion", "variance"],
    faults: ({ diffusion: { objective, variance } }) =>
      unless(
        variance !== "learned-range" || TEACH_VARIANCE.includes(objective),
        () =>
          `${variance} is taught by the bound, which the objective ${objective} has not; choose hybrid, or a fixed one`,
      ),
    cel: {
      holds: `self.diffusion.variance != 'learned-range' || self.diffusion.objective in ${quoted(TEACH_VARIANCE)}`,
      message:
        "'%s is taught by the bound, which the objective %s has not; choose hybrid, or a fixed one'.format([self.diffusion.variance, self.diffusion.objective])",
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
    path: ["diffusion", "predict"],
    faults: ({ diffusion: { objective, predict } }) =>
      unless(
        (predict === "consistency") === isOfConsistency(objective),
        () =>
          `${predict} does not go with the objective ${objective}; predict consistency for ${OF_CONSISTENCY.join(", ")}, and for no other`,
      ),
    cel: {
      holds: `(self.diffusion.predict == 'consistency') == (self.diffusion.objective in ${quoted(OF_CONSISTENCY)})`,
      message: `'%s does not go with the objective %s; predict consistency for ${OF_CONSISTENCY.join(", ")}, and for no other'.format([self.diffusion.predict, self.diffusion.objective])`,
    },
  },
  {
    path: ["diffusion", "scales", "start"],
    faults: ({ diffusion: { objective, scales } }) =>
      unless(
        !isOfConsistency(objective) || scales.start >= 2,
        () => `${scales.start} leaves ${objective} no two levels to train between; use 2 or more`,
      ),
    cel: {
      holds: `self.diffusion.scales.start >= 2 || !(self.diffusion.objective in ${quoted(OF_CONSISTENCY)})`,
      message:
        "'%d leaves %s no two levels to train between; use 2 or more'.format([self.diffusion.scales.start, self.diffusion.objective])",
    },
  },
  {
    path: ["diffusion", "scales", "end"],
    faults: ({
      diffusion: {
        scales: { start, end = start },
      },
    }) => unless(start <= end, () => `${end} is below start ${start}; lower start, or raise end`),
    cel: {
      holds: "!has(self.diffusion.scales.end) || self.diffusion.scales.start <= self.diffusion.scales.end",
      message:
        "'%d is below start %d; lower start, or raise end'.format([self.diffusion.scales.end, self.diffusion.scales.start])",
    },
  },
  {
    path: ["models", "teacher"],
    faults: ({ models: { teacher }, diffusion: { objective } }) =>
      unless(
        teacher !== undefined || !NEED_TEACHER.includes(objective),
        () => `is what the objective ${objective} distils; set models.teacher.from to a trained model`,
      ),
    cel: {
      holds: `has(self.models.teacher) || !(self.diffusion.objective in ${quoted(NEED_TEACHER)})`,
      message:
        "'is what the objective %s distils; set models.teacher.from to a trained model'.format([self.diffusion.objective])",
    },
  },
  {
    path: ["models", "teacher"],
    faults: ({ models: { teacher }, diffusion: { objective } }) =>
      unless(
        teacher === undefined || READ_TEACHER.includes(objective),
        () => `is not read by the objective ${objective}; take it out, or choose ${READ_TEACHER.join(" or ")}`,
      ),
    cel: {
      holds: `!has(self.models.teacher) || self.diffusion.objective in ${quoted(READ_TEACHER)}`,
      message: `'is not read by the objective %s; take it out, or choose ${READ_TEACHER.join(" or ")}'.format([self.diffusion.objective])`,
    },
  },
  {
    path: ["training", "init"],
    faults: ({ training: { init }, models: { teacher } }) =>
      unless(
        init !== "teacher" || teacher !== undefined,
        () => `${init} is no model that the job names; set models.teacher, or take init out`,
      ),
    cel: {
      holds: "!has(self.training.init) || self.training.init != 'teacher' || has(self.models.teacher)",
      message: "'%s is no model that the job names; set models.teacher, or take init out'.format([self.training.init])",
    },
  },
];
