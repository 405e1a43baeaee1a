// How a command's images are drawn: the options that it shares with the others, the job's own choice where one is absent.

import type { JobSpec } from "../../shared/config/schema.ts";
import { GRIDS, type GridName } from "../../shared/diffusion/grids.ts";
import { chainKind } from "../../shared/diffusion/processes/index.ts";
import { PERCENTILE, THRESHOLDS, type ThresholdName } from "../../shared/diffusion/thresholds.ts";
import { PlumeError } from "../../shared/errors.ts";
import { denoises, generates, givesImages, mixes, NETWORKS, type NetworkName } from "../../shared/models/index.ts";
import type { Manner } from "../../shared/pipeline/draw.ts";
import {
  fitsModel,
  SAMPLER_NAMES,
  type SamplerName,
  scalesNoise,
  seesX0,
  takesGrid,
} from "../../shared/samplers/index.ts";
import { decimal, oneOf, wholeNumber } from "./options.ts";

const GRID_NAMES = Object.keys(GRIDS) as GridName[];
const THRESHOLD_NAMES = Object.keys(THRESHOLDS) as ThresholdName[];

export interface SamplingOptions {
  readonly sampler?: string;
  readonly steps?: string;
  readonly guidance?: string;
  readonly eta?: string;
  readonly grid?: string;
  readonly threshold?: string;
  readonly percentile?: string;
  readonly seed: string;
}

/** Flags and what they mean, in the order of `--help`. */
export const SAMPLING_OPTIONS: readonly (readonly [flags: string, about: string])[] = [
  ["--sampler <name>", `${SAMPLER_NAMES.join(" | ")} (default: the job's)`],
  ["--steps <n>", "steps of the sampler an image (default: the job's)"],
  ["--guidance <g>", "classifier-free guidance scale (default: the job's)"],
  ["--eta <x>", "noise of the samplers that add some, 0 to 1 (default: the job's, or the sampler's own)"],
  [
    "--grid <name>",
    `noise levels of samplers that walk any: ${GRID_NAMES.join(" | ")} (default: the job's, or its own)`,
  ],
  ["--threshold <name>", `of each predicted x_0: ${THRESHOLD_NAMES.join(" | ")} (default: the job's, or static)`],
  ["--percentile <p>", `of |x_0|, that --threshold dynamic clips to (default: the job's, or ${PERCENTILE})`],
];

export const SEED_OPTION = ["--seed <s>", "seed of the noise", "0"] as const;

export interface AskedSampling extends Omit<Manner, "steps"> {
  readonly sampler?: SamplerName | undefined;
  readonly steps?: number | undefined;
  readonly guidance?: number | undefined;
  readonly seed: number;
}

/** What can be checked before the model is known. @throws PlumeError INVALID_ARGUMENT naming the flag. */
export function parseSampling(options: SamplingOptions): AskedSampling {
  const { sampler, steps, guidance, eta, grid, threshold, percentile, seed } = options;
  const asked = {
    steps: steps === undefined ? undefined : wholeNumber("--steps", steps, 1),
    guidance: guidance === undefined ? undefined : decimal("--guidance", guidance, 0),
    eta: eta === undefined ? undefined : decimal("--eta", eta, 0),
    sampler: sampler === undefined ? undefined : oneOf("--sampler", sampler, SAMPLER_NAMES),
    grid: grid === undefined ? undefined : oneOf("--grid", grid, GRID_NAMES),
    threshold: threshold === undefined ? undefined : oneOf("--threshold", threshold, THRESHOLD_NAMES),
    percentile: percentile === undefined ? undefined : decimal("--percentile", percentile, 0),
    seed: wholeNumber("--seed", seed),
  };
  if (asked.eta !== undefined && asked.eta > 1)
    throw new PlumeError("INVALID_ARGUMENT", `--eta ${asked.eta} is above 1`, {
      remedy: "0 is deterministic, 1 adds as much noise as ancestral sampling",
    });
  if (asked.percentile !== undefined && !(asked.percentile > 1 && asked.percentile <= 100))
    throw new PlumeError("INVALID_ARGUMENT", `--percentile ${asked.percentile} is not above 1 and at most 100`, {
      remedy: `${PERCENTILE} is what other tools call a ratio of ${PERCENTILE / 100}; leave it out for that`,
    });
  return asked;
}

export interface Sampling extends AskedSampling, Manner {
  readonly sampler: SamplerName;
  readonly steps: number;
  readonly guidance: number;
}

/** With the job's own choices. @throws PlumeError INVALID_ARGUMENT for what the model cannot do. */
export function samplingFor({ sampling, model, diffusion }: JobSpec, asked: AskedSampling): Sampling {
  const { sampler = sampling.sampler, steps = sampling.steps, guidance = sampling.guidance } = asked;
  const isGenerator = generates(model.type);
  const fits = (name: SamplerName) => fitsModel(name, { ...diffusion, generates: isGenerator });
  if (!fits(sampler)) {
    const drawnFrom = `model's process ${diffusion.process}, of which it predicts ${diffusion.predict}`;
    throw new PlumeError(
      "INVALID_ARGUMENT",
      `--sampler ${sampler} does not fit the ${isGenerator ? `model, a ${model.type}` : drawnFrom}`,
      { remedy: `use one of ${SAMPLER_NAMES.filter(fits).join(", ")}` },
    );
  }
  if (isGenerator) checkGenerator(model.type, steps, guidance, asked);
  if (diffusion.process === "ddpm" && steps > diffusion.timesteps)
    throw new PlumeError("INVALID_ARGUMENT", `--steps ${steps} is above the model's ${diffusion.timesteps} timesteps`, {
      remedy: `use at most --steps ${diffusion.timesteps}`,
    });
  checkChain(diffusion, steps, guidance);
  if (model.classes === 0 && !model.text && model.embedding === undefined && guidance !== 1)
    throw new PlumeError("INVALID_ARGUMENT", `--guidance ${guidance} needs a model with classes or captions`, {
      remedy: "use --guidance 1",
    });
  return { ...asked, sampler, steps, guidance, ...onTheWay(sampler, sampling, asked) };
}

/** Of the job's own what the sampler has use for. @throws PlumeError INVALID_ARGUMENT for what is asked and is of none. */
function onTheWay(sampler: SamplerName, own: JobSpec["sampling"], asked: AskedSampling): Omit<Manner, "steps"> {
  if (asked.eta !== undefined && !scalesNoise(sampler))
    throw new PlumeError("INVALID_ARGUMENT", `--eta ${asked.eta}: ${sampler} adds no noise, or noise that is its own`, {
      remedy: "leave it out, or choose a sampler whose noise it scales, such as ddim or euler-ancestral",
    });
  if (asked.grid && !takesGrid(sampler))
    throw new PlumeError("INVALID_ARGUMENT", `--grid ${asked.grid}: ${sampler} has levels of noise of its own`, {
      remedy: "leave it out, or choose a sampler that walks any, such as heun or dpmpp-2m",
    });
  if (asked.threshold && !seesX0(sampler))
    throw new PlumeError("INVALID_ARGUMENT", `--threshold ${asked.threshold}: ${sampler} sees no predictions of x_0`, {
      remedy: "leave it out, or choose a sampler that does, such as heun",
    });
  const threshold = asked.threshold ?? (seesX0(sampler) ? own.threshold : undefined);
  if (asked.percentile && threshold !== "dynamic")
    throw new PlumeError("INVALID_ARGUMENT", `--percentile ${asked.percentile} is of dynamic thresholding`, {
      remedy: "add --threshold dynamic, or leave it out",
    });
  return {
    eta: asked.eta ?? (scalesNoise(sampler) ? own.eta : undefined),
    grid: asked.grid ?? (takesGrid(sampler) ? own.grid : undefined),
    threshold,
    percentile: asked.percentile ?? (threshold === "dynamic" ? own.percentile : undefined),
  };
}

/** A chain is walked step by step, and its steps are no predictions of x_0. */
function checkChain({ process, timesteps }: JobSpec["diffusion"], steps: number, guidance: number): void {
  if (chainKind(process) === undefined) return;
  if (steps !== timesteps)
    throw new PlumeError(
      "INVALID_ARGUMENT",
      `--steps ${steps}: the model's process ${process} takes all of its ${timesteps} steps`,
      { remedy: "leave --steps out" },
    );
  if (guidance !== 1)
    throw new PlumeError(
      "INVALID_ARGUMENT",
      `--guidance ${guidance} mixes two predictions of x_0, which the model's process ${process} does not make`,
      { remedy: "use --guidance 1" },
    );
}

/** A generator makes an image of noise at once, or code by code. */
function checkGenerator(
  type: NetworkName,
  steps: number,
  guidance: number,
  { eta, grid, threshold }: AskedSampling,
): void {
  if (steps !== 1)
    throw new PlumeError(
      "INVALID_ARGUMENT",
      `--steps ${steps}: the model is a ${type}, which draws by no steps of a process`,
      {
        remedy: "leave --steps out",
      },
    );
  if (guidance !== 1 && !mixes(type))
    throw new PlumeError(
      "INVALID_ARGUMENT",
      `--guidance ${guidance} mixes two predictions of x_0, which the model, a ${type}, does not make`,
      { remedy: "leave --guidance out" },
    );
  const onTheWay = Object.entries({ eta, grid, threshold }).find(([, value]) => value !== undefined);
  if (!onTheWay) return;
  throw new PlumeError(
    "INVALID_ARGUMENT",
    `--${onTheWay.join(" ")} is of steps, which the model, a ${type}, has none of`,
    {
      remedy: `leave --${onTheWay[0]} out`,
    },
  );
}

const tellsDecoder = (checkpoint: string) =>
  `plume sample DECODER --prior ${checkpoint} has it tell a decoder what to draw`;
/** What models that draw no pictures are for. */
const USES = {
  classes: (checkpoint: string) => `plume sample RUN --classifier ${checkpoint} has it guide another model`,
  embedding: tellsDecoder,
  "embedding-codes": tellsDecoder,
};

/** @throws PlumeError INVALID_ARGUMENT for a model whose answers are no images. */
export function checkDraws(checkpoint: string, { model }: JobSpec): void {
  if (givesImages(model.type)) return;
  const { gives } = NETWORKS[model.type];
  throw new PlumeError("INVALID_ARGUMENT", `${checkpoint} is a ${model.type}: it draws no pictures`, {
    remedy: `plume eval ${checkpoint} tells how good it is${gives in USES ? `; ${USES[gives as keyof typeof USES](checkpoint)}` : ""}`,
  });
}

/** @throws PlumeError FAILED_PRECONDITION for an upsampler, where nothing tells it the low-resolution images. */
export function checkNoUpsampler(checkpoint: string, { model: { lowRes } }: JobSpec): void {
  if (!lowRes) return;
  const { size } = lowRes;
  throw new PlumeError("FAILED_PRECONDITION", `${checkpoint} is an upsampler of images of ${size}x${size}`, {
    remedy: `plume sample ${checkpoint} --images FILES -o FILE.png enlarges images, --base CHECKPOINT those of another model`,
  });
}

/** The label of images that have none. @throws PlumeError INVALID_ARGUMENT where a model has seen no such image. */
export function noLabel({ model, diffusion }: JobSpec, classes: readonly string[]): number {
  if (diffusion.labelDrop > 0 && model.classes > 0 && denoises(model.type)) return model.classes;
  throw new PlumeError("INVALID_ARGUMENT", "the model has seen no image without a class, and these have none", {
    remedy: `add --class, one of ${classes.join(", ") || `0 to ${model.classes - 1}`}`,
  });
}

/**
 * @param embedded whether embeddings are told. @throws PlumeError FAILED_PRECONDITION for a model that is told captions or embeddings and has
 * seen no image without, where there are none.
 */
export function checkSilence(checkpoint: string, { model, diffusion }: JobSpec, embedded = false): void {
  const reads = [
    ["a caption", "labelDrop", model.text !== undefined],
    ["an embedding", "embeddingDrop", model.embedding !== undefined && !embedded],
  ] as const;
  for (const [what, drop, told] of reads)
    if (told && diffusion[drop] === 0)
      throw new PlumeError(
        "FAILED_PRECONDITION",
        `${checkpoint} has seen no image without ${what}, and these have none`,
        {
          remedy: `use a model whose job has diffusion.${drop} above 0; plume sample --prompt draws what is said`,
        },
      );
}

/** Lets a Ctrl-C in: the backend computes on this thread. */
export async function breathe(signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  signal.throwIfAborted();
}
