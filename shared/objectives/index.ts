// The table of objectives. An objective's code loads TensorFlow.js; the table does not.

import type { ObjectiveKind } from "./objective.ts";

/** A bound of ddpm's steps. */
const BOUND = { asks: "output", fits: ["ddpm"], teachesVariance: true } as const;
/** Of levels sigma. */
const LEVELS = { asks: "denoisers", fits: ["edm"] } as const;
/** Of two networks that play against each other. */
const GAME = { asks: "players", of: "game" } as const;
const SMOOTHED = { ...GAME, smooths: true } as const;
const firstLosses = () => import("./adversarial/non-saturating.ts");

export const OBJECTIVES = {
  simple: {
    about: "L_simple, Ho et al. 2020",
    asks: "output",
    of: ["image", "embedding"],
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
  minimax: {
    ...SMOOTHED,
    about: "Goodfellow et al. 2014, Eq. 1, of a generator and a discriminator",
    load: async () => (await firstLosses()).minimax,
  },
  "non-saturating": {
    ...SMOOTHED,
    about: "the same with a generator that learns while it loses, their Section 3",
    load: async () => (await firstLosses()).nonSaturating,
  },
  hinge: {
    ...GAME,
    about: "of the same two, Lim and Ye 2017",
    load: async () => (await import("./adversarial/hinge.ts")).hinge,
  },
  "least-squares": {
    ...GAME,
    about: "of the same two, Mao et al. 2017",
    load: async () => (await import("./adversarial/least-squares.ts")).leastSquares,
  },
  wasserstein: {
    ...GAME,
    about: "of a generator and a critic, Arjovsky et al. 2017",
    load: async () => (await import("./adversarial/wasserstein.ts")).wasserstein,
  },
  elbo: {
    asks: "evidence",
    of: "bound",
    about: "Kingma and Welling 2014, the negative evidence lower bound of a vae or a dvae, in bits a dimension",
    load: async () => (await import("./evidence.ts")).elbo,
  },
  likelihood: {
    asks: "evidence",
    of: "density",
    about: "Dinh et al. 2017, the negative log likelihood of a flow, in bits a dimension",
    load: async () => (await import("./evidence.ts")).likelihood,
  },
  contrastive: {
    asks: "towers",
    of: "features",
    about: "InfoNCE of images and captions within a micro-batch, both ways, Radford et al. 2021",
    load: async () => (await import("./contrastive.ts")).contrastive,
  },
  "next-token": {
    asks: "tokens",
    of: ["codes", "embedding-codes"],
    about:
      "-log p of each word of a caption and each code of its image by those before it, 1/8 and 7/8, Ramesh et al. 2021; of embeddings' codes alone",
    load: async () => (await import("./next-token.ts")).nextToken,
  },
} satisfies Record<string, ObjectiveKind>;

export type ObjectiveName = keyof typeof OBJECTIVES;

export const OBJECTIVE_NAMES = Object.keys(OBJECTIVES) as ObjectiveName[];

export const objectiveKind = (name: ObjectiveName): ObjectiveKind => OBJECTIVES[name];
