// The table of objectives. An objective's code loads TensorFlow.js; the table does not.

import type { ObjectiveKind } from "./objective.ts";

export const OBJECTIVES = {
  simple: { about: "L_simple, Ho et al. 2020", of: "image", load: async () => (await import("./simple.ts")).simple },
  hybrid: {
    about: "L_simple + lambda L_vlb, Nichol and Dhariwal 2021",
    of: "image",
    bound: true,
    load: async () => (await import("./hybrid.ts")).hybrid,
  },
  vlb: {
    about: "one term of the variational bound",
    of: "image",
    bound: true,
    load: async () => (await import("./vlb.ts")).vlb,
  },
  "rescaled-vlb": {
    about: "vlb times T",
    of: "image",
    bound: true,
    load: async () => (await import("./vlb.ts")).rescaledVlb,
  },
  "cross-entropy": {
    about: "-log p(y | x_t) of a classifier, Dhariwal and Nichol 2021",
    of: "classes",
    load: async () => (await import("./cross-entropy.ts")).crossEntropy,
  },
} satisfies Record<string, ObjectiveKind>;

export type ObjectiveName = keyof typeof OBJECTIVES;

export const OBJECTIVE_NAMES = Object.keys(OBJECTIVES) as ObjectiveName[];

/** Whether it has the variational bound of a discrete process in it, which teaches a variance. */
export const hasBound = (name: ObjectiveName): boolean => (OBJECTIVES[name] as ObjectiveKind).bound === true;
