// The table of samplers. A sampler's code loads TensorFlow.js; the table does not.

import type { Sampler } from "./sampler.ts";

const SDES = ["vp", "sub-vp", "ve"] as const;

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
  pc: {
    about: "Song et al. 2021, reverse diffusion with Langevin's corrections",
    walks: "sde",
    fits: SDES,
    eta: 1,
    load: async () => (await import("./sde/index.ts")).pc,
  },
  "euler-maruyama": {
    about: "Song et al. 2021, the reverse SDE",
    walks: "sde",
    fits: SDES,
    eta: 1,
    load: async () => (await import("./sde/index.ts")).reverseSde,
  },
  flow: {
    about: "Song et al. 2021, the probability flow with steps of its own choice",
    walks: "sde",
    fits: SDES,
    adaptive: true,
    eta: 0,
    load: async () => (await import("./sde/flow.ts")).decoding(),
  },
} satisfies Record<string, Sampler>;

export type SamplerName = keyof typeof SAMPLERS;
