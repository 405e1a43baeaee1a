// Beta schedules, respacing, and the time step a network must see.

import { processOf } from "../../../shared/diffusion/process.ts";
import { spaceTimesteps } from "../../../shared/diffusion/respacing.ts";
import { betasOf } from "../../../shared/diffusion/schedules.ts";
import type { GoldenFamily } from "../family.ts";

export const schedules: GoldenFamily = {
  name: "schedules",
  float32: () => false,
  run({ params, inputs }) {
    const p = params as {
      schedule?: string;
      num_timesteps: number;
      section_counts?: string;
      beta_start?: number;
      beta_end?: number;
      rescale_timesteps?: boolean;
    };
    const range = p.beta_start === undefined ? {} : { betaStart: p.beta_start, betaEnd: p.beta_end! };
    if (p.schedule === undefined)
      return { timesteps: spaceTimesteps(p.num_timesteps, p.section_counts!), throws: false };
    const betas = betasOf(p.schedule, p.num_timesteps, range);
    if (p.section_counts === undefined) {
      const indices = inputs.indices as number[] | null | undefined;
      return { betas: indices ? indices.map((i) => betas[i]) : betas };
    }
    const process = processOf(betas, p.section_counts, p.rescale_timesteps ?? false);
    return {
      timestep_map: process.timestepMap,
      betas: process.betas,
      alphas_cumprod: process.alphasCumprod,
      model_timesteps: process.timestepMap.map((_, i) => process.modelTimestep(i)),
    };
  },
};
