// The table of objectives. An objective's code loads TensorFlow.js; the table does not.

import type { ObjectiveKind } from "./objective.ts";

export const OBJECTIVES = {
  simple: { about: "L_simple, Ho et al. 2020", of: "levels", load: async () => (await import("./simple.ts")).simple },
  hybrid: {
    about: "L_simple + lambda L_vlb, Nichol and Dhariwal 2021",
    of: "levels",
    load: async () => (await import("./hybrid.ts")).hybrid,
  },
  vlb: {
    about: "one term of the variational bound",
    of: "levels",
    load: async () => (await import("./vlb.ts")).vlb,
  },
  "rescaled-vlb": {
    about: "vlb times T",
    of: "levels",
    load: async () => (await import("./vlb.ts")).rescaledVlb,
  },
  "trajectory-bound": {
    about: "Sohl-Dickstein et al. 2015, the bound by one step of the trajectory, in bits a pixel beyond the prior",
    of: "chain",
    load: async () => (await import("./trajectory-bound.ts")).trajectoryBound,
  },
} satisfies Record<string, ObjectiveKind>;

export type ObjectiveName = keyof typeof OBJECTIVES;

/** Of which sort of processes it judges a network. */
export const judges = (name: ObjectiveName): ObjectiveKind["of"] => OBJECTIVES[name].of;
