// The diffusion process as diffusers' DDPMScheduler has it: scheduler_config.json, written and read.

import { z } from "zod";
import type { JobSpec } from "../config/schema.ts";
import { betasOf } from "../diffusion/schedules.ts";
import { PlumeError } from "../errors.ts";
import { refused } from "./refused.ts";

type Diffusion = JobSpec["diffusion"];

/** What a folder says of the process: the rest of a job's diffusion section is how it is trained. */
export type FolderDiffusion = Pick<Diffusion, "schedule" | "timesteps" | "predict" | "variance">;

const SCHEDULES = { linear: "linear", cosine: "squaredcos_cap_v2" } as const;
const PREDICTIONS = { eps: "epsilon", x0: "sample", v: "v_prediction" } as const;
const VARIANCES = {
  "fixed-small": "fixed_small",
  "fixed-large": "fixed_large",
  "learned-range": "learned_range",
} as const;

/** The release whose DDPMScheduler the export was checked against. */
const VERSION = "0.27.2";

/** Betas that differ by less are the same schedule: diffusers computes them in float32. */
const BETA_TOLERANCE = 1e-6;

/** The first and the last beta of plume's linear schedule: they keep the amount of noise at any number of timesteps. */
const linearRange = (timesteps: number) => ({
  beta_start: (1e-4 * 1000) / timesteps,
  beta_end: (0.02 * 1000) / timesteps,
});

/** @throws PlumeError FAILED_PRECONDITION for a process or a prediction that DDPMScheduler does not have. */
export function schedulerConfig({ process, schedule, timesteps, predict, variance }: Diffusion) {
  if (process !== "ddpm") throw withoutScheduler("process", process);
  if (!(predict in PREDICTIONS)) throw withoutScheduler("predict", predict);
  return {
    _class_name: "DDPMScheduler",
    _diffusers_version: VERSION,
    num_train_timesteps: timesteps,
    beta_schedule: SCHEDULES[schedule],
    ...(schedule === "linear" ? linearRange(timesteps) : {}),
    trained_betas: null,
    prediction_type: PREDICTIONS[predict as keyof typeof PREDICTIONS],
    variance_type: VARIANCES[variance],
    // plume's samplers clip x_0 to [-1, 1], where its images are.
    clip_sample: true,
    clip_sample_range: 1,
    thresholding: false,
  };
}

const withoutScheduler = (field: string, value: string): PlumeError =>
  new PlumeError("FAILED_PRECONDITION", `diffusion.${field} is ${value}, and diffusers' DDPMScheduler has no such`, {
    remedy: "export the weights alone with --format safetensors",
  });

/** Defaults are DDPMScheduler's. */
const schema = z.looseObject({
  _class_name: z.enum(["DDPMScheduler", "DDIMScheduler"]),
  num_train_timesteps: z.int().min(2).default(1000),
  beta_schedule: z.string().default("linear"),
  beta_start: z.number().default(1e-4),
  beta_end: z.number().default(0.02),
  trained_betas: z.array(z.number()).nullable().default(null),
  prediction_type: z.enum(["epsilon", "sample", "v_prediction"]).default("epsilon"),
  variance_type: z.enum(["fixed_small", "fixed_large", "learned_range"]).default("fixed_small"),
  clip_sample: z.literal(true).default(true),
  clip_sample_range: z.literal(1).default(1),
  thresholding: z.literal(false).default(false),
  rescale_betas_zero_snr: z.literal(false).default(false),
});

/** @throws PlumeError FAILED_PRECONDITION naming the field of which plume has no such value. */
export function diffusionOf(json: unknown): FolderDiffusion {
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const field = String(parsed.error.issues[0]!.path[0] ?? "");
    const value = (json as Record<string, unknown> | null)?.[field];
    throw refused("scheduler_config.json", field, value, allowedOf(field));
  }
  const { num_train_timesteps: timesteps, prediction_type, variance_type } = parsed.data;
  return {
    schedule: scheduleOf(parsed.data, timesteps),
    timesteps,
    predict: keyOf(PREDICTIONS, prediction_type),
    variance: keyOf(VARIANCES, variance_type),
  };
}

function scheduleOf(config: z.infer<typeof schema>, timesteps: number): Diffusion["schedule"] {
  const { beta_schedule, trained_betas } = config;
  const names = Object.keys(SCHEDULES) as Diffusion["schedule"][];
  if (trained_betas) {
    const same = names.find((name) => closeTo(trained_betas, name, timesteps));
    if (same) return same;
    throw refused("scheduler_config.json", "trained_betas", trained_betas.slice(0, 3), "linear and cosine betas");
  }
  const schedule = names.find((name) => SCHEDULES[name] === beta_schedule);
  if (!schedule)
    throw refused("scheduler_config.json", "beta_schedule", beta_schedule, Object.values(SCHEDULES).join(" and "));
  if (schedule === "linear")
    for (const [field, own] of Object.entries(linearRange(timesteps)))
      if (Math.abs(Number(config[field]) - own) > BETA_TOLERANCE)
        throw refused("scheduler_config.json", field, config[field], `${own} at ${timesteps} timesteps`);
  return schedule;
}

function closeTo(betas: readonly number[], schedule: string, timesteps: number): boolean {
  if (betas.length !== timesteps || (schedule === "linear" && timesteps <= 20)) return false;
  const own = betasOf(schedule, timesteps);
  return betas.every((beta, t) => Math.abs(beta - own[t]!) <= BETA_TOLERANCE);
}

const ALLOWED: Readonly<Record<string, string>> = {
  _class_name: "DDPMScheduler and DDIMScheduler",
  prediction_type: Object.values(PREDICTIONS).join(", "),
  variance_type: Object.values(VARIANCES).join(" and "),
  clip_sample: "true: its samplers clip to [-1, 1]",
  clip_sample_range: "1",
  thresholding: "false",
  rescale_betas_zero_snr: "false",
};
const allowedOf = (field: string): string => ALLOWED[field] ?? "another type of value";

const keyOf = <K extends string>(table: Readonly<Record<K, string>>, value: string): K =>
  (Object.keys(table) as K[]).find((key) => table[key] === value)!;
