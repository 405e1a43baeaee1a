// Every array derived from the betas.

import { type Coefficients, processOf } from "../../../shared/diffusion/process.ts";
import { betasOf } from "../../../shared/diffusion/schedules.ts";
import type { GoldenFamily } from "../family.ts";

interface Params {
  readonly betas?: number[];
  readonly schedule: string;
  readonly num_timesteps: number;
  readonly beta_start?: number;
  readonly beta_end?: number;
  readonly respacing?: string | null;
}

export const diffusionCoefficients: GoldenFamily = {
  name: "diffusion_coefficients",
  float32: () => false,
  run({ params, inputs, expected }) {
    const p = params as unknown as Params;
    const range = p.beta_start === undefined ? {} : { betaStart: p.beta_start, betaEnd: p.beta_end! };
    const betas = p.betas ? Float64Array.from(p.betas) : betasOf(p.schedule, p.num_timesteps, range);
    const c = processOf(betas, p.respacing ?? null);
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
