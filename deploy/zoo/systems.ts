// What the zoo trains and how each system is measured. A system is one line here; its job is in deploy/jobs.

import { fitsModel, SAMPLER_NAMES, type SamplerName } from "../../shared/samplers/index.ts";

/** Rows of `plume eval` beside those of the job's own sampler: every combination of what is listed. */
export interface Sweep {
  readonly title: string;
  readonly about: string;
  /** What the pictures' curves run over. */
  readonly by: "evaluations" | "guidance";
  readonly sampler?: readonly SamplerName[];
  readonly steps?: readonly number[];
  readonly guidance?: readonly number[];
}

export interface System {
  readonly title: string;
  readonly source: string;
  /** In deploy/jobs, without its ending. */
  readonly job: string;
  readonly about: string;
  readonly sweeps?: readonly Sweep[];
}

const guidance: Sweep = {
  title: "Guidance scale",
  about: "What more classifier-free guidance does to likeness (accuracy, precision) and to variety (recall).",
  by: "guidance",
  guidance: [1, 1.5, 2, 3, 5],
};

/** Those of the table that fit; the ones whose images walk alone choose their own number of evaluations. */
const samplers = (process: "ddpm" | "vp"): Sweep => ({
  title: "Samplers",
  about: "One checkpoint, drawn by every sampler that fits its process.",
  by: "evaluations",
  sampler: SAMPLER_NAMES.filter((name) => fitsModel(name, { process, predict: "v" })),
  steps: [5, 10, 20, 40],
});

export const SYSTEMS = {
  ddpm: {
    title: "DDPM with v-prediction and a cosine schedule",
    source: "Ho et al. 2020; Nichol and Dhariwal 2021; Salimans and Ho 2022",
    job: "fashion",
    about: "The main job: a discrete process of 1,000 steps, drawn by DDIM in 50.",
    sweeps: [guidance, samplers("ddpm")],
  },
  iddpm: {
    title: "Improved DDPM",
    source: "Nichol and Dhariwal 2021",
    job: "iddpm",
    about: "The network learns the variance of its steps from the bound, beside L_simple; ancestral sampling.",
  },
  adm: {
    title: "ADM",
    source: "Dhariwal and Nichol 2021",
    job: "adm",
    about: "Improved DDPM with another U-Net: AdaGN, BigGAN's residual blocks, attention at every resolution.",
  },
  vp: {
    title: "Variance-preserving SDE",
    source: "Song et al. 2021",
    job: "vp",
    about: "DDPM's noise in continuous time, drawn along the probability-flow ODE.",
    sweeps: [samplers("vp")],
  },
  "sub-vp": {
    title: "Sub-VP SDE",
    source: "Song et al. 2021",
    job: "sub-vp",
    about: "Less noise than VP at every time, for better likelihoods.",
  },
  ve: {
    title: "Variance-exploding SDE",
    source: "Song et al. 2021",
    job: "ve",
    about: "Noise that grows without shrinking the image, with a preconditioned network.",
  },
  edm: {
    title: "EDM",
    source: "Karras et al. 2022",
    job: "edm",
    about: "Sigma itself as the time, a preconditioned network, Heun's method.",
  },
} satisfies Record<string, System>;

export type SystemName = keyof typeof SYSTEMS;

export const SYSTEM_NAMES = Object.keys(SYSTEMS) as SystemName[];
