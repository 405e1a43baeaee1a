// The golden files' SDEs in plume's words.

import { type ParameterizationName, parameterizationOf } from "../../shared/diffusion/parameterization.ts";
import { noiseProcess, type ProcessName } from "../../shared/diffusion/processes/index.ts";
import type { NoiseProcess, ProcessOptions, Sde } from "../../shared/diffusion/processes/process.ts";

export interface SdeParams {
  readonly sde: "vp" | "subvp" | "ve";
  readonly N: number;
  readonly beta_min?: number;
  readonly beta_max?: number;
  readonly sigma_min?: number;
  readonly sigma_max?: number;
}

const NAMES = { vp: "vp", subvp: "sub-vp", ve: "ve" } as const satisfies Record<string, ProcessName>;

/** What score_sde's networks of each SDE give. */
const PREDICTS = { vp: "eps", subvp: "eps", ve: "score" } as const satisfies Record<string, ParameterizationName>;

export const sdeOf = (p: SdeParams): NoiseProcess & { readonly sde: Sde } => {
  const options: ProcessOptions = {
    schedule: "linear",
    timesteps: p.N,
    betaMin: p.beta_min ?? 0.1,
    betaMax: p.beta_max ?? 20,
    sigmaMin: p.sigma_min,
    sigmaMax: p.sigma_max,
    pMean: 0,
    pStd: 1,
  };
  return noiseProcess({ ...options, process: NAMES[p.sde] }) as NoiseProcess & { readonly sde: Sde };
};

export const parameterizationFor = ({ sde }: SdeParams) => parameterizationOf(PREDICTS[sde], 0.5);
