// The table of samplers. A sampler's code loads TensorFlow.js; the table does not.

import { chainKind, type ProcessName } from "../diffusion/processes/index.ts";
import { invariant } from "../invariant.ts";
import type { LevelSampler, Sampler, SigmaSampler } from "./sampler.ts";

type Rest = Omit<SigmaSampler, "about" | "walks" | "load">;

const walk = (about: string, rest: Rest, load: SigmaSampler["load"]): SigmaSampler => ({
  about,
  walks: "sigma",
  ...rest,
  load,
});

/** Without any noise; without unless a job gives eta; with that of the SDE. */
const ODE = { ends: "zero", eta: 0 } as const;
const LU = { ...ODE, scalesNoise: true } as const;
const SDE = { ...LU, eta: 1 } as const;
/** Of those the ones that are stepwise; one without noise must be as good upwards, which euler-ve is not. */
const ODE_STEPS = { ...ODE, stepwise: true } as const;
const SDE_STEPS = { ...SDE, stepwise: true } as const;
const LOG_SNR = { ...LU, grid: "exponential" } as const;
const VE = { ...ODE, grid: "exponential" } as const;
const VP = { ...ODE, grid: "vp" } as const;
/** Walks that choose their own levels between the ends, and those that have learned to end at the least. */
const OWN = { ends: "min", eta: 0 } as const;
const FAST = { ...OWN, scalesNoise: true } as const;
const ADAPTIVE = { ...FAST, adaptive: true } as const;
const CONSISTENCY = { ends: "min", eta: 1, fits: ["edm"], ofConsistency: true } as const;

const ode = () => import("./ode.ts");
const ancestral = () => import("./ancestral-walk.ts");
const single = () => import("./singlestep.ts");
const multi = () => import("./multistep.ts");
const adaptive = () => import("./adaptive.ts");

const EPS = { predict: "eps", expansion: "midpoint" } as const;
const EPS_M = { ...EPS, lowerOrderFinal: true } as const;
const X0 = { predict: "x0", expansion: "midpoint" } as const;
const X0_M = { ...X0, lowerOrderFinal: true } as const;
const X0_TAYLOR = { predict: "x0", expansion: "taylor" } as const;

/** Those that have steps with a posterior. */
const STEPS = ["ddpm", "imagen"] as const;
const SDES = ["vp", "sub-vp", "ve"] as const;

export const SAMPLERS = {
  ddim: {
    about: "Song et al. 2021",
    walks: "steps",
    guided: "score",
    eta: 0,
    scalesNoise: true,
    fits: STEPS,
    stepwise: true,
    load: async () => (await import("./ddim.ts")).ddimStep,
    invert: async () => (await import("./ddim.ts")).ddimInversionStep,
  },
  ancestral: {
    about: "Ho et al. 2020",
    walks: "steps",
    guided: "mean",
    eta: 1,
    fits: STEPS,
    stepwise: true,
    load: async () => (await import("./ancestral.ts")).ancestralStep,
  },
  euler: walk("Karras et al. 2022, first order", ODE_STEPS, async () => (await ode()).eulerWalk()),
  heun: walk("Karras et al. 2022", ODE_STEPS, async () => (await ode()).heunWalk()),
  "euler-vp": walk("Song et al. 2021, VP flow in its own time", VP, async () => (await ode()).eulerVp),
  "euler-ve": walk("Song et al. 2021, VE flow in its own time", VE, async () => (await ode()).eulerVe),
  "dpm-2": walk("k-diffusion, midpoint in log sigma", ODE_STEPS, async () => (await ode()).dpm2Walk()),
  "euler-ancestral": walk("k-diffusion", SDE_STEPS, async () => (await ancestral()).eulerAncestral()),
  "dpm-2-ancestral": walk("k-diffusion", SDE_STEPS, async () => (await ancestral()).dpm2Ancestral()),
  "dpmpp-2s-ancestral": walk("Lu et al. 2022b", SDE_STEPS, async () => (await ancestral()).dpmpp2sAncestral()),
  lms: walk("k-diffusion, Adams-Bashforth of order 4", ODE, async () => (await import("./lms.ts")).lms()),
  "dpm-solver-2": walk("Lu et al. 2022a", LOG_SNR, async () => (await single()).singlestep({ ...EPS, order: 2 })),
  "dpm-solver-3": walk("Lu et al. 2022a", LOG_SNR, async () => (await single()).singlestep({ ...EPS, order: 3 })),
  "dpm-fast": walk("Lu et al. 2022a, orders 3 to 1", FAST, async () => (await single()).dpmFast()),
  "dpm-adaptive": walk("k-diffusion, steps of its own", ADAPTIVE, async () => (await adaptive()).dpmAdaptive),
  "dpm-solver-12": walk("Lu et al. 2022a, steps of its own", ADAPTIVE, async () => (await adaptive()).dpmSolver12),
  "dpm-solver-23": walk("Lu et al. 2022a, steps of its own", ADAPTIVE, async () => (await adaptive()).dpmSolver23),
  "dpm-solver-2m": walk("Lu et al. 2022a", LOG_SNR, async () => (await multi()).multistep({ ...EPS_M, order: 2 })),
  "dpm-solver-3m": walk("Lu et al. 2022a", LOG_SNR, async () => (await multi()).multistep({ ...EPS_M, order: 3 })),
  "dpmpp-2s": walk("Lu et al. 2022b", LU, async () => (await single()).singlestep({ ...X0, order: 2 })),
  "dpmpp-3s": walk("Lu et al. 2022b", LU, async () => (await single()).singlestep({ ...X0, order: 3 })),
  "dpmpp-2m": walk("Lu et al. 2022b", LU, async () => (await multi()).multistep({ ...X0, order: 2 })),
  "dpmpp-3m": walk("Lu et al. 2022b", LU, async () => (await multi()).multistep({ ...X0_M, order: 3 })),
  "dpmpp-sde": walk("Lu et al. 2022b", SDE_STEPS, async () => (await import("./dpmpp-sde.ts")).dpmppSde()),
  "dpmpp-2m-sde": walk("Lu et al. 2022b", SDE, async () => (await multi()).multistep({ ...X0, order: 2 })),
  "dpmpp-3m-sde": walk("k-diffusion", SDE, async () => (await multi()).multistep({ ...X0_TAYLOR, order: 3 })),
  progressive: walk("Salimans and Ho 2022, a student's own steps", OWN, async () => (await ode()).eulerWalk()),
  consistency: walk("Song et al. 2023, one step or several", CONSISTENCY, async () => {
    return (await import("./consistency.ts")).consistencySteps;
  }),
  pc: {
    about: "Song et al. 2021, reverse diffusion with Langevin's corrections",
    walks: "sde",
    fits: SDES,
    stepwise: true,
    eta: 1,
    load: async () => (await import("./sde/index.ts")).pc,
  },
  "euler-maruyama": {
    about: "Song et al. 2021, the reverse SDE",
    walks: "sde",
    fits: SDES,
    stepwise: true,
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
    invert: async () => (await import("./sde/flow.ts")).encoding(),
  },
  "reverse-kernel": {
    about: "Sohl-Dickstein et al. 2015, the learned steps of nonequilibrium and binomial",
    walks: "chain",
    eta: 1,
    load: async () => (await import("./reverse-kernel.ts")).reverseKernel,
  },
  generator: {
    about:
      "by no process: of z at once, by a GAN's generator, a vae's decoder or a flow's inverse, or code by code, by a dalle or an ar-prior",
    walks: "nothing",
    eta: 0,
  },
} satisfies Record<string, Sampler>;

export type SamplerName = keyof typeof SAMPLERS;

export const SAMPLER_NAMES = Object.keys(SAMPLERS) as SamplerName[];

/** What a sampler draws from. */
export interface Drawable {
  readonly process: ProcessName;
  readonly predict: string;
  /** Whether it makes images by no process, and is no network that is walked with. */
  readonly generates: boolean;
}

/** The processes that a sampler can walk; undefined for all of its sort. */
export const fitting = (name: SamplerName): readonly ProcessName[] | undefined => (SAMPLERS[name] as Sampler).fits;

/** Whether it takes the steps of a chain, and no others. */
export const walksChains = (name: SamplerName): boolean => SAMPLERS[name].walks === "chain";

export const fitsProcess = (name: SamplerName, process: ProcessName): boolean =>
  walksChains(name) === (chainKind(process) !== undefined) && (fitting(name)?.includes(process) ?? true);

/** Whether it draws from generators, and from nothing else. */
export const ofGenerators = (name: SamplerName): boolean => SAMPLERS[name].walks === "nothing";

/** One that walks through levels: any but a chain's and a generator's. */
export function levelSampler(name: SamplerName): LevelSampler {
  const sampler: Sampler = SAMPLERS[name];
  invariant(sampler.walks !== "chain" && sampler.walks !== "nothing", `${name} walks through levels`);
  return sampler;
}

/** Whether it goes on from predictions of x_0, which can be thresholded. */
export const seesX0 = (name: SamplerName): boolean => ["steps", "sigma"].includes(SAMPLERS[name].walks);

/** Whether it walks any grid of levels: neither steps of a process nor of its own. */
export function takesGrid(name: SamplerName): boolean {
  const sampler: Sampler = SAMPLERS[name];
  return sampler.walks === "sigma" && sampler.ends === "zero";
}

/** Whether eta says how much noise it adds; others add none, or as much as their paper has. */
export const scalesNoise = (name: SamplerName): boolean => (SAMPLERS[name] as Sampler).scalesNoise === true;

/** Whether its images would depend on each other, so that each must be walked by itself. */
export const isAdaptive = (name: SamplerName): boolean => (SAMPLERS[name] as Sampler).adaptive === true;

/** Whether what is known of images can be held between its steps. */
export const isStepwise = (name: SamplerName): boolean => (SAMPLERS[name] as Sampler).stepwise === true;

/** Whether it finds the noise that it would make images of. */
export function inverts(name: SamplerName): boolean {
  const sampler: Sampler = SAMPLERS[name];
  if (sampler.walks === "chain" || sampler.walks === "nothing") return false;
  return sampler.walks === "sigma" ? isStepwise(name) && sampler.eta === 0 : sampler.invert !== undefined;
}
/** A consistency function is the end of a path, a denoiser a mean of ends: neither does for the other. */
export const fitsPrediction = (name: SamplerName, predict: string): boolean =>
  ((SAMPLERS[name] as Sampler).ofConsistency ?? false) === (predict === "consistency");

export const fitsModel = (name: SamplerName, { process, predict, generates }: Drawable): boolean =>
  fitsProcess(name, process) && fitsPrediction(name, predict) && ofGenerators(name) === generates;
