// The table of samplers. A sampler's code loads TensorFlow.js; the table does not.

import type { ProcessName } from "../diffusion/processes/index.ts";
import type { Sampler } from "./sampler.ts";

export const SAMPLERS = {
  ddim: {
    about: "Song et al. 2021",
    walks: "steps",
    eta: 0,
    fits: ["ddpm"],
    load: async () => (await import("./ddim.ts")).ddimStep,
  },
  ancestral: {
    about: "Ho et al. 2020",
    walks: "steps",
    eta: 1,
    fits: ["ddpm"],
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

export const SAMPLER_NAMES = Object.keys(SAMPLERS) as SamplerName[];

/** The processes that a sampler can walk; undefined for all. */
export const fitting = (name: SamplerName): readonly ProcessName[] | undefined => (SAMPLERS[name] as Sampler).fits;

export const fitsProcess = (name: SamplerName, process: ProcessName): boolean =>
  fitting(name)?.includes(process) ?? true;
