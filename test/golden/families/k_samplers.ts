// k-diffusion's samplers on analytic denoisers, and the ancestral step's split.

import { adaptive, pid } from "../../../shared/samplers/adaptive.ts";
import { dpm2Ancestral, dpmpp2sAncestral, eulerAncestral } from "../../../shared/samplers/ancestral-walk.ts";
import { dpmppSde } from "../../../shared/samplers/dpmpp-sde.ts";
import { lms } from "../../../shared/samplers/lms.ts";
import { multistep } from "../../../shared/samplers/multistep.ts";
import { dpm2Walk, eulerWalk, heunWalk } from "../../../shared/samplers/ode.ts";
import type { Walk } from "../../../shared/samplers/sampler.ts";
import { ancestralSplit } from "../../../shared/samplers/sigma-math.ts";
import { dpmFast } from "../../../shared/samplers/singlestep.ts";
import { type AnalyticModel, analyticDenoiser } from "../analytic.ts";
import { tensorOf } from "../arrays.ts";
import type { GoldenCase, GoldenFamily } from "../family.ts";
import { walked } from "../sigma-walk.ts";

interface Params {
  readonly eta?: number;
  readonly s_churn?: number;
  readonly s_tmin?: number;
  readonly s_tmax?: number;
  readonly s_noise?: number;
  readonly order?: number;
  readonly r?: number;
  readonly solver_type?: "midpoint" | "heun";
  readonly rtol?: number;
  readonly atol?: number;
  readonly h_init?: number;
  /** "pcoeff 0, icoeff 1, dcoeff 0, accept_safety 0.81" */
  readonly pid?: string;
  readonly n?: number;
  readonly sigma_min: number;
  readonly sigma_max: number;
  readonly sigmas?: number[];
  readonly model: AnalyticModel;
  readonly mid_index?: number;
}

type Make = (p: Params) => Walk;

const churn = ({ s_churn = 0, s_tmin = 0, s_tmax = Number.POSITIVE_INFINITY, s_noise = 1 }: Params) => ({
  churn: s_churn,
  sMin: s_tmin,
  sMax: s_tmax,
  sNoise: s_noise,
});

const images = ({ solver_type, s_noise = 1 }: Params) =>
  ({ predict: "x0", expansion: solver_type === "heun" ? "taylor" : "midpoint", sNoise: s_noise }) as const;

/** By the names of k-diffusion's functions, without "sample_". */
const WALKS: Readonly<Record<string, Make>> = {
  euler: (p) => eulerWalk(churn(p)),
  heun: (p) => heunWalk(churn(p)),
  dpm_2: (p) => dpm2Walk(churn(p)),
  lms: (p) => lms(p.order),
  euler_ancestral: (p) => eulerAncestral(p.s_noise),
  dpm_2_ancestral: (p) => dpm2Ancestral(p.s_noise),
  dpmpp_2s_ancestral: (p) => dpmpp2sAncestral(p.s_noise),
  dpmpp_sde: (p) => dpmppSde(p.r, p.s_noise),
  dpmpp_2m: (p) => multistep({ ...images(p), order: 2 }),
  dpmpp_2m_sde: (p) => multistep({ ...images(p), order: 2 }),
  dpmpp_3m_sde: (p) => multistep({ ...images(p), expansion: "taylor", order: 3 }),
  dpm_fast: (p) => dpmFast(p.s_noise),
  dpm_adaptive: ({ order = 3, rtol, atol, h_init, s_noise, pid: gains }) =>
    adaptive({
      predict: "eps",
      expansion: "midpoint",
      order: order as 2 | 3,
      rtol: rtol ?? 0.05,
      atol: atol ?? 0.0078,
      first: h_init ?? 0.05,
      sNoise: s_noise ?? 1,
      control: pid(gainsOf(gains)),
    }),
};

/** What k-diffusion's functions take where a case names no eta. */
const STOCHASTIC = /ancestral|sde/;

export const kSamplers: GoldenFamily = {
  name: "k_samplers",
  float32: () => true,
  run(golden) {
    const { sigma_from, sigma_to } = golden.inputs as Record<string, number>;
    if (sigma_from === undefined) return sampled(golden);
    const { down, up } = ancestralSplit(sigma_from, sigma_to!, golden.params.eta as number);
    return { sigma_down: down, sigma_up: up };
  },
};

async function sampled({ source, params, inputs }: GoldenCase): Promise<Record<string, unknown>> {
  const p = params as unknown as Params;
  const name = /sampling\.sample_(\w+)/.exec(source)![1]!;
  // Samplers that choose their own levels take the ends, and how many evaluations they may use.
  const sigmas = p.sigmas ?? Array.from({ length: (p.n ?? 1) + 1 }, (_, i) => (i === 0 ? p.sigma_max : p.sigma_min));
  const eta = p.eta ?? (STOCHASTIC.test(name) ? 1 : 0);
  const way = { x: tensorOf(inputs.x), sigmas, eta, noise: inputs.noise };
  const { sample, states, evaluations } = await walked(WALKS[name]!(p), analyticDenoiser(p.model), way);
  const accepted = states.slice(1).filter((state, i) => state.some((v, k) => v !== states[i]![k])).length;
  // The last state of an adaptive walk follows its last trial.
  const trials = states.length - 2;
  return {
    sample,
    state_mid: states[p.mid_index ?? 0],
    nfe: evaluations,
    steps: trials,
    n_accept: accepted,
    n_reject: trials - accepted,
  };
}

function gainsOf(text = "") {
  const value = (name: string) => Number(new RegExp(`${name} (\\S+?)(?:,|$)`).exec(text)?.[1] ?? Number.NaN);
  const or = (name: string, absent: number) => (Number.isNaN(value(name)) ? absent : value(name));
  return {
    proportional: or("pcoeff", 0),
    integral: or("icoeff", 1),
    derivative: or("dcoeff", 0),
    acceptSafety: or("accept_safety", 0.81),
  };
}
