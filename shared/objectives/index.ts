// The table of objectives. An objective's code loads TensorFlow.js; the table does not.

import type { Objective } from "./objective.ts";

export const OBJECTIVES = {
  simple: { about: "L_simple, Ho et al. 2020", load: async () => (await import("./simple.ts")).simple },
  hybrid: {
    about: "L_simple + lambda L_vlb, Nichol and Dhariwal 2021",
    load: async () => (await import("./hybrid.ts")).hybrid,
  },
  vlb: { about: "one term of the variational bound", load: async () => (await import("./vlb.ts")).vlb },
  "rescaled-vlb": { about: "vlb times T", load: async () => (await import("./vlb.ts")).rescaledVlb },
} satisfies Record<string, { readonly about: string; load(): Promise<Objective> }>;

export type ObjectiveName = keyof typeof OBJECTIVES;
