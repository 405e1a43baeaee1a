// What is asked of images, as words of the command line or of a request.

import type { JobSpec } from "../../../../shared/config/schema.ts";
import { checkWeights } from "../../../../shared/interop/load-model.ts";
import { wholeNumber } from "../../options.ts";
import { checkDraws, parseSampling, type Sampling, type SamplingOptions, samplingFor } from "../../sampling.ts";
import { checkLowRes, type LowResOptions, noiseOf, parseLowRes } from "./low-res.ts";
import { checkPrompt } from "./prompt.ts";

export interface ImageWords extends SamplingOptions, LowResOptions {
  readonly count?: string;
  readonly class?: string;
  readonly prompt?: string;
  readonly prior?: string;
  readonly classifierScale?: string;
  readonly weights?: string;
}

/** What can be checked before the model is known. @throws PlumeError INVALID_ARGUMENT. */
export function parseAsked(words: ImageWords) {
  const { count, prompt, weights } = words;
  return {
    words,
    sampling: parseSampling(words),
    lowRes: parseLowRes(words),
    named: words.class,
    prompt,
    count: count === undefined ? undefined : wholeNumber("--count", count, 1),
    weights: weights === undefined ? undefined : checkWeights(weights),
  };
}

export type Asked = ReturnType<typeof parseAsked>;

/** How a model draws them. */
export interface Way {
  readonly sampling: Sampling;
  /** Of an upsampler: how far small images are noised. */
  readonly noise: number;
}

/** @throws PlumeError for what the model cannot do. */
export function wayFor(checkpoint: string, spec: JobSpec, { words, sampling, lowRes }: Asked): Way {
  checkDraws(checkpoint, spec);
  if (words.base === undefined) checkPrompt(checkpoint, [spec], words.prompt);
  checkLowRes(checkpoint, spec, words);
  return { sampling: samplingFor(spec, sampling), noise: noiseOf(spec, lowRes) };
}
