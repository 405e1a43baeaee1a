// How a command draws images: what its options say, and the job's own where they say nothing.

import type { Command } from "commander";
import type { JobSpec } from "../../shared/config/schema.ts";
import { PlumeError } from "../../shared/errors.ts";
import { fitsProcess, SAMPLER_NAMES, type SamplerName } from "../../shared/samplers/index.ts";
import { decimal, oneOf, wholeNumber } from "./options.ts";

export interface SamplingOptions {
  readonly sampler?: string;
  readonly steps?: string;
  readonly guidance?: string;
  readonly eta?: string;
}

export const withSamplingOptions = (command: Command): Command =>
  command
    .option("--sampler <name>", `${SAMPLER_NAMES.join(" | ")} (default: the job's)`)
    .option("--steps <n>", "steps of the sampler an image (default: the job's)")
    .option("--guidance <g>", "classifier-free guidance scale (default: the job's)")
    .option("--eta <x>", "noise of the samplers that add some, 0 to 1 (default: the job's, or the sampler's own)");

export interface SamplingChoice {
  readonly sampler: SamplerName;
  readonly steps: number;
  readonly guidance: number;
  /** The sampler's own when absent. */
  readonly eta: number | undefined;
}

/**
 * Checks the options before anything is opened. @returns what they and a model's job come to.
 * @throws PlumeError INVALID_ARGUMENT, both times.
 */
export function samplingChoice(options: SamplingOptions): (spec: JobSpec) => SamplingChoice {
  const given = {
    sampler: options.sampler === undefined ? undefined : oneOf("--sampler", options.sampler, SAMPLER_NAMES),
    steps: options.steps === undefined ? undefined : wholeNumber("--steps", options.steps, 1),
    guidance: options.guidance === undefined ? undefined : decimal("--guidance", options.guidance, 0),
    eta: options.eta === undefined ? undefined : decimal("--eta", options.eta, 0),
  };
  if (given.eta !== undefined && given.eta > 1)
    throw new PlumeError("INVALID_ARGUMENT", `--eta ${given.eta} is above 1`, {
      remedy: "0 is deterministic, 1 adds as much noise as ancestral sampling",
    });
  return (spec) => {
    const { sampling } = spec;
    const choice = {
      sampler: given.sampler ?? sampling.sampler,
      steps: given.steps ?? sampling.steps,
      guidance: given.guidance ?? sampling.guidance,
      eta: given.eta ?? sampling.eta,
    };
    check(choice, spec);
    return choice;
  };
}

function check({ sampler, steps, guidance }: SamplingChoice, { model, diffusion }: JobSpec): void {
  const { process, timesteps } = diffusion;
  if (!fitsProcess(sampler, process))
    throw new PlumeError("INVALID_ARGUMENT", `--sampler ${sampler} does not fit the model's process ${process}`, {
      remedy: `use one of ${SAMPLER_NAMES.filter((name) => fitsProcess(name, process)).join(", ")}`,
    });
  if (process === "ddpm" && steps > timesteps)
    throw new PlumeError("INVALID_ARGUMENT", `--steps ${steps} is above the model's ${timesteps} timesteps`, {
      remedy: `use at most --steps ${timesteps}`,
    });
  if (model.classes === 0 && guidance !== 1)
    throw new PlumeError("INVALID_ARGUMENT", `--guidance ${guidance} needs a model with classes`, {
      remedy: "use --guidance 1",
    });
}
