// The table of samplers. A sampler's code loads TensorFlow.js; the table does not.

import type { Sampler } from "./sampler.ts";

export const SAMPLERS = {
  ddim: { about: "Song et al. 2021", walks: "steps", eta: 0, load: async () => (await import("./ddim.ts")).ddimStep },
  ancestral: {
    about: "Ho et al. 2020",
    walks: "steps",
    eta: 1,
    load: async () => (await import("./ancestral.ts")).ancestralStep,
  },
  euler: {
    about: "Karras et al. 2022, first order",
    walks: "sigma",
    ends: "zero",
    eta: 0,
    load: async () => (await import("./ode.ts")).euler(),
  },
  heun: {
    about: "Karras et al. 2022",
    walks: "sigma",
    ends: "zero",
    eta: 0,
    load: async () => (await import("./ode.ts")).heun(),
  },
} satisfies Record<string, Sampler>;

export type SamplerName = keyof typeof SAMPLERS;
