// What the zoo trains and how each system is measured. A system is one entry here; its job is in deploy/jobs.

import type { FrozenName } from "../../shared/config/models.ts";
import { counted } from "../../shared/counted.ts";
import { fitsModel, SAMPLER_NAMES, type SamplerName } from "../../shared/samplers/index.ts";
import type { MeasureName } from "./measures/index.ts";

/** Rows of `plume eval` beside those of the job's own sampler: every combination of what is listed. */
export interface Sweep {
  readonly title: string;
  readonly about: string;
  /** What the pictures' curves run over. */
  readonly by: "evaluations" | "guidance" | "classifierScale";
  readonly sampler?: readonly SamplerName[];
  readonly steps?: readonly number[];
  readonly guidance?: readonly number[];
  readonly classifierScale?: readonly number[];
  /** The curve that all of its points belong to; absent, one a sampler. */
  readonly curve?: string;
  /** Systems whose curves by evaluations are in the same picture. */
  readonly beside?: readonly string[];
}

export interface System {
  readonly title: string;
  readonly source: string;
  /** In deploy/jobs, without its ending. */
  readonly job: string;
  /** Fields of the job that are others here, as `plume train --set` has them. */
  readonly set?: readonly string[];
  /** Other systems that its job names: they are trained first, with the same seed. */
  readonly needs?: Readonly<Partial<Record<FrozenName, string>>>;
  readonly about: string;
  /** Of each seed. */
  readonly measures: readonly MeasureName[];
  /** Of the first seed. */
  readonly sweeps?: readonly Sweep[];
  /** The exact log likelihood of its data in bits, where that is known. */
  readonly exact?: number;
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
  sampler: SAMPLER_NAMES.filter((name) => fitsModel(name, { process, predict: "v", generates: false })),
  steps: [5, 10, 20, 40],
});

const FEW_STEPS = {
  title: "Few evaluations",
  about: "Students beside their teacher, and what learns few steps without one.",
  by: "evaluations",
} as const;

/** A curve of each that draws in few steps. */
const fewSteps = (of: string, curve: string, steps: readonly number[]): Sweep => ({
  ...FEW_STEPS,
  curve,
  steps,
  beside: [
    "edm",
    "progressive",
    "progressive-4",
    "progressive-2",
    "progressive-1",
    "consistency-distillation",
    "consistency",
  ].filter((name) => name !== of),
});

const HALVING = "Progressive distillation";

/** A student of half as many steps as the one before. */
const halved = (steps: number, teacher: string): System => ({
  title: `${HALVING}: ${counted(steps, "step")}`,
  source: "Salimans and Ho 2022",
  job: "progressive",
  set: [`diffusion.scales.start=${steps}`, `sampling.steps=${steps}`],
  needs: { teacher },
  about: `A student whose ${steps} steps lead where ${2 * steps} of the one before do.`,
  measures: ["eval"],
  sweeps: [fewSteps(`progressive-${steps}`, HALVING, [steps])],
});

export const SYSTEMS = {
  ddpm: {
    title: "DDPM with v-prediction and a cosine schedule",
    source: "Ho et al. 2020; Nichol and Dhariwal 2021; Salimans and Ho 2022",
    job: "fashion",
    about: "The main job: a discrete process of 1,000 steps, drawn by DDIM in 50.",
    measures: ["eval", "likelihood"],
    sweeps: [guidance, samplers("ddpm")],
  },
  iddpm: {
    title: "Improved DDPM",
    source: "Nichol and Dhariwal 2021",
    job: "iddpm",
    about: "The network learns the variance of its steps from the bound, beside L_simple; ancestral sampling.",
    measures: ["eval", "likelihood"],
  },
  adm: {
    title: "ADM",
    source: "Dhariwal and Nichol 2021",
    job: "adm",
    about: "Improved DDPM with another U-Net: AdaGN, BigGAN's residual blocks, attention at every resolution.",
    measures: ["eval", "likelihood"],
  },
  upsampler: {
    title: "ADM's upsampler",
    source: "Dhariwal and Nichol 2021; Ho et al. 2022",
    job: "upsampler",
    about: "Test images made half as large, and drawn large again: a stage of a cascade.",
    measures: ["eval"],
  },
  vlb: {
    title: "Improved DDPM by its bound alone",
    source: "Nichol and Dhariwal 2021, Section 3.3",
    job: "vlb",
    about: "L_vlb, its time steps drawn by their losses; on procedural shapes.",
    measures: ["likelihood"],
  },
  vp: {
    title: "Variance-preserving SDE",
    source: "Song et al. 2021",
    job: "vp",
    about: "DDPM's noise in continuous time, drawn along the probability-flow ODE.",
    measures: ["eval", "likelihood"],
    sweeps: [samplers("vp")],
  },
  "sub-vp": {
    title: "Sub-VP SDE",
    source: "Song et al. 2021",
    job: "sub-vp",
    about: "Less noise than VP at every time, for better likelihoods.",
    measures: ["eval", "likelihood"],
  },
  ve: {
    title: "Variance-exploding SDE",
    source: "Song et al. 2021",
    job: "ve",
    about: "Noise that grows without shrinking the image, with a preconditioned network.",
    measures: ["eval", "likelihood"],
  },
  edm: {
    title: "EDM",
    source: "Karras et al. 2022",
    job: "edm",
    about: "Sigma itself as the time, a preconditioned network, Heun's method.",
    measures: ["eval", "likelihood"],
    sweeps: [{ ...FEW_STEPS, about: "The teacher of the students.", sampler: ["heun"], steps: [1, 2, 4, 8, 18] }],
  },
  "edm-augment": {
    title: "EDM's augmentation, on 2,000 images",
    source: "Karras et al. 2022, App. F.2",
    job: "edm-augment",
    about: "Images that are mirrored, turned, scaled and moved, of which the network is told.",
    measures: ["eval"],
  },
  "edm-few": {
    title: "The same 2,000 images as they are",
    source: "Karras et al. 2022",
    job: "edm-augment",
    set: ["data.augment=0"],
    about: "What augmentation is worth: the same job without it.",
    measures: ["eval"],
  },
  classifier: {
    title: "A classifier of noised images",
    source: "Dhariwal and Nichol 2021",
    job: "classifier",
    about: "The U-Net's way down and an attention pool: tells classes apart under any noise of the process.",
    measures: ["noised"],
  },
  guided: {
    title: "Classifier guidance of a model without labels",
    source: "Dhariwal and Nichol 2021",
    job: "fashion",
    set: ["model.classes=0", "sampling.guidance=1", "sampling.classifierScale=4"],
    needs: { classifier: "classifier" },
    about: "The main job, told no classes: a classifier's gradient alone leads its images to them.",
    measures: ["eval"],
    sweeps: [
      {
        title: "Classifier scale",
        about: "What more of the classifier's gradient does to likeness (accuracy, precision) and to variety (recall).",
        by: "classifierScale",
        classifierScale: [0, 1, 2, 4, 8, 16],
      },
    ],
  },
  progressive: {
    ...halved(8, "edm"),
    about: "A student whose 8 steps lead where 16 of its teacher, EDM, do.",
    sweeps: [fewSteps("progressive", HALVING, [8])],
  },
  "progressive-4": halved(4, "progressive"),
  "progressive-2": halved(2, "progressive-4"),
  "progressive-1": halved(1, "progressive-2"),
  "consistency-distillation": {
    title: "Consistency distillation",
    source: "Song et al. 2023",
    job: "consistency-distillation",
    needs: { teacher: "edm" },
    about: "From any noise straight to the image, in one step or a few: learned from EDM's path between two levels.",
    measures: ["eval"],
    sweeps: [fewSteps("consistency-distillation", "Consistency distillation", [1, 2, 4, 8])],
  },
  consistency: {
    title: "Consistency training",
    source: "Song et al. 2023",
    job: "consistency",
    about: "The same function learned without a teacher, from images alone.",
    measures: ["eval"],
    sweeps: [fewSteps("consistency", "Consistency training", [1, 2, 4, 8])],
  },
  "swiss-roll": {
    title: "EDM on points of the plane",
    source: "Karras et al. 2022, on the data of Sohl-Dickstein et al. 2015",
    job: "swiss-roll",
    about: "A thousand points of a Swiss roll, as images of one pixel.",
    measures: [],
  },
  "thermo-swiss-roll": {
    title: "The model of 2015 on a Swiss roll",
    source: "Sohl-Dickstein et al. 2015, Fig. 1",
    job: "thermo-swiss-roll",
    about: "A network gives mean and variance of every step back, learned from the bound on the log likelihood.",
    measures: ["bound"],
  },
  heartbeat: {
    title: "The model of 2015 on bits",
    source: "Sohl-Dickstein et al. 2015, Sec. 3.1.2",
    job: "heartbeat",
    about:
      "Diffusion of bits: a pulse every fifth of twenty, in one of five phases, which is known to need log2 5 bits.",
    measures: ["bound"],
    exact: -Math.log2(5),
  },
  gan: {
    title: "A GAN, to compare with",
    source: "Goodfellow et al. 2014; Radford et al. 2016; Mescheder et al. 2018",
    job: "gan",
    about:
      "As many parameters and as much computation: non-saturating loss, R1, classes by projection; one evaluation an image.",
    measures: ["eval"],
  },
  "gan-grid": {
    title: "A GAN on a grid of 25 Gaussians",
    source: "Goodfellow et al. 2014; Mescheder et al. 2018",
    job: "gan-grid",
    about: "Two perceptrons on points of the plane: which of 25 modes does it find?",
    measures: ["coverage"],
  },
  "diffusion-grid": {
    title: "EDM on a grid of 25 Gaussians",
    source: "Karras et al. 2022",
    job: "diffusion-grid",
    about: "The same points as the GAN's, and as many steps of as many of them.",
    measures: ["coverage"],
  },
  vae: {
    title: "A variational autoencoder",
    source: "Kingma and Welling 2014; Rombach et al. 2022",
    job: "vae",
    about:
      "Images coded by a small image of Gaussians and decoded again: the evidence lower bound in bits, one evaluation an image.",
    measures: ["eval", "likelihood"],
  },
  flow: {
    title: "A normalizing flow",
    source: "Dinh et al. 2017; Kingma and Dhariwal 2018",
    job: "flow",
    about:
      "An invertible network of affine couplings and 1x1 convolutions: an exact likelihood in bits, drawn by its inverse in one evaluation.",
    measures: ["eval", "likelihood"],
  },
  "flow-grid": {
    title: "A normalizing flow on a grid of 25 Gaussians",
    source: "Dinh et al. 2017; Kingma and Dhariwal 2018",
    job: "flow-grid",
    about: "A continuous map of one Gaussian of the plane: which of 25 modes does it find, and what lies between them?",
    measures: ["coverage"],
  },
  text: {
    title: "Text to image, Imagen at the smallest scale",
    source: "Saharia et al. 2022",
    job: "text",
    about:
      "A transformer reads captions of a small grammar, a U-Net attends to their words; an exact parser is the judge.",
    measures: ["captions"],
  },
  imagen: {
    title: "Text to image, of a frozen text encoder",
    source: "Saharia et al. 2022, Sec. 2.1",
    job: "imagen",
    needs: { text: "clip" },
    about:
      "Nothing is learned of what reads the captions: a U-Net attends to the words of a clip's text tower; the exact parser is the judge.",
    measures: ["captions"],
  },
  clip: {
    title: "CLIP at the smallest scale",
    source: "Radford et al. 2021",
    job: "clip",
    about: "Two towers lead pictures and captions into one space: which of 200 captions is a picture's?",
    measures: ["retrieval"],
  },
  prior: {
    title: "DALL-E 2's prior",
    source: "Ramesh et al. 2022, Sec. 2.2",
    job: "prior",
    needs: { clip: "clip" },
    about: "Diffusion of embeddings: from a caption to CLIP's embedding of a picture of it, drawn twice.",
    measures: ["embeddings"],
  },
  "ar-prior": {
    title: "DALL-E 2's autoregressive prior",
    source: "Ramesh et al. 2022, Sec. 2.2",
    job: "ar-prior",
    needs: { clip: "clip" },
    about: "The same embedding number by number, each of 128 buckets, by a transformer that reads the caption.",
    measures: ["embeddings"],
  },
  decoder: {
    title: "DALL-E 2: prior and decoder",
    source: "Ramesh et al. 2022",
    job: "decoder",
    needs: { clip: "clip", prior: "prior" },
    about: "From CLIP's embedding of a picture to such a picture; of captions, by what the prior draws of them.",
    measures: ["captions"],
  },
  dvae: {
    title: "DALL-E's discrete autoencoder",
    source: "Ramesh et al. 2021, Sec. 2.1; Jang et al. 2017",
    job: "dvae",
    about: "A picture as a grid of codes, learned through their relaxation; what it draws are codes by chance.",
    measures: ["likelihood"],
  },
  dalle: {
    title: "DALL-E at the smallest scale",
    source: "Ramesh et al. 2021",
    job: "dalle",
    needs: { dvae: "dvae" },
    about:
      "A transformer over captions and their pictures' codes, which it draws one by one; the exact parser is the judge.",
    measures: ["captions"],
  },
} satisfies Record<string, System>;

export type SystemName = keyof typeof SYSTEMS;

export const SYSTEM_NAMES = Object.keys(SYSTEMS) as SystemName[];
