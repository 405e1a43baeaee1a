// Every array derived from the betas.

import { type Coefficients, coefficientsOf, createProcess } from "../../../shared/diffusion/process.ts";
import type { GoldenFamily } from "../family.ts";

export const diffusionCoefficients: GoldenFamily = {
  name: "diffusion_coefficients",
  float32: () => false,
  run({ params, inputs, expected }) {
    const p = params as { betas?: number[]; schedule: string; num_timesteps: number; respacing?: string | null };
    const c = p.betas
      ? coefficientsOf(Float64Array.from(p.betas))
      : createProcess({ schedule: p.schedule, timesteps: p.num_timesteps, respacing: p.respacing ?? null });
    const indices = inputs.indices as number[] | null | undefined;
    return Object.fromEntries(
      Object.keys(expected).map((key) => {
        const values = c[camel(key) as keyof Coefficients];
        return [key, indices ? indices.map((i) => values[i]) : values];
      }),
    );
  },
};

const camel = (snake: string): string => snake.replace(/_(.)/g, (_, c: string) => c.toUpperCase());
