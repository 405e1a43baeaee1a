// The table of objectives. An objective's code loads TensorFlow.js; the table does not.

import type { ObjectiveKind } from "./objective.ts";

/** A bound of ddpm's steps. */
const BOUND = { asks: "output", fits: ["ddpm"], teachesVariance: true } as const;
/** Of levels sigma. */
const LEVELS = { asks: "denoisers", fits: ["edm"] } as const;

export const OBJECTIVES = {
  simple: {
    about: "L_simple, Ho et al. 2020",
    asks: "output",
    load: async () => (await import("./simple.ts")).simple,
  },
  hybrid: {
    ...BOUND,
    about: "L_simple + lambda L_vlb, Nichol and Dhariwal 2021",
    load: async () => (await import("./hybrid.ts")).hybrid,
  },
  vlb: { ...BOUND, about: "one term of the variational bound", load: async () => (await import("./vlb.ts")).vlb },
  "rescaled-vlb": { ...BOUND, about: "vlb times T", load: async () => (await import("./vlb.ts")).rescaledVlb },
  "cross-entropy": {
    asks: "output",
    of: "classes",
    about: "-log p(y | x_t) of a classifier, Dhariwal and Nichol 2021",
    load: async () => (await import("./cross-entropy.ts")).crossEntropy,
  },
  consistency: {
    ...LEVELS,
    about: "Song et al. 2023, of edm: distillation of models.teacher, or training in isolation without one",
    ofConsistency: true,
    teacher: "perhaps",
    load: async () => (await import("./consistency.ts")).consistency,
  },
  progressive: {
    ...LEVELS,
    about: "Salimans and Ho 2022, of edm: half the steps of models.teacher",
    teacher: "always",
    load: async () => (await import("./progressive.ts")).progressive,
  },
  "trajectory-bound": {
    asks: "chain",
    about: "Sohl-Dickstein et al. 2015, the bound by one step of the trajectory, in bits a pixel beyond the prior",
    load: async () => (await import("./trajectory-bound.ts")).trajectoryBound,
  },
} satisfies Record<string, ObjectiveKind>;

export type ObjectiveName = keyof typeof OBJECTIVES;

export const OBJECTIVE_NAMES = Object.keys(OBJECTIVES) as ObjectiveName[];

export const objectiveKind = (name: ObjectiveName): ObjectiveKind => OBJECTIVES[name];
