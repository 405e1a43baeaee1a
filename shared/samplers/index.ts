// The table of samplers. A sampler's code loads TensorFlow.js; the table does not.

import type { Sampler } from "./sampler.ts";

export const SAMPLERS = {
  ddim: { about: "Song et al. 2021", load: async () => (await import("./ddim.ts")).ddimStep },
  heun: { about: "Karras et al. 2022", load: async () => (await import("./heun.ts")).heunStep },
  ancestral: { about: "Ho et al. 2020", load: async () => (await import("./ancestral.ts")).ancestralStep },
} satisfies Record<string, Sampler>;

export type SamplerName = keyof typeof SAMPLERS;
