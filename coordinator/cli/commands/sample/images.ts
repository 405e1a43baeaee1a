// Images of a model, as `plume sample` and `plume serve` draw them: the same words, the same bits.

import type { ReadModel } from "../../../../shared/interop/load-model.ts";
import { jobPrompts } from "../../../../shared/pipeline/captions.ts";
import { gridLabels } from "../../../../shared/pipeline/generate.ts";
import { shownClasses } from "../../../../shared/pipeline/tiles.ts";
import type { Beside } from "../../drawing/messages.ts";
import { scaleOf } from "../../guide.ts";
import { classOf } from "../../options.ts";
import { checkSilence, noLabel } from "../../sampling.ts";
import type { Asked, Way } from "./asked.ts";
import type { Hands } from "./hands.ts";
import { frameOf, openSmallImages, type SmallImages } from "./low-res.ts";
import { captionsFor, checkTokens, promptsFor, reads } from "./prompt.ts";
import { writeDrawn, writeEnlarged } from "./show.ts";

/** What draws. */
export interface Subject {
  readonly checkpoint: string;
  readonly model: ReadModel;
  readonly beside: Beside;
}

export interface Plan extends Way {
  readonly subject: Subject;
  readonly asked: Asked;
  readonly classifierScale: number | undefined;
  /** Those that images can be asked for. */
  readonly classes: number;
  /** Of all images. */
  readonly only: number | null;
}

/** Before any work. @throws PlumeError for a scale that nothing has, or a class that is none. */
export async function planImages(subject: Subject, asked: Asked, way: Way): Promise<Plan> {
  const { model, beside } = subject;
  const { job, imageSet } = model;
  const { words, named, prompt } = asked;
  await checkTokens(job.spec, beside.text, prompt);
  const scale = words.classifierScale;
  const classifierScale =
    scale === undefined ? job.spec.sampling.classifierScale : scaleOf("--classifier-scale", scale, beside.classifier);
  const classes = shownClasses(job.spec, beside.classifier);
  // An upsampler without classes may have a base with some.
  const ofBase = classes === 0 && words.base !== undefined;
  const only = named === undefined || ofBase ? null : classOf(named, imageSet.classes, classes);
  return { ...way, subject, asked, classifierScale, classes, only };
}

export interface Drawn {
  readonly plan: Plan;
  /** uint8 [count, H, W, C]. */
  readonly pixels: Uint8Array;
  readonly count: number;
  /** Of an upsampler: what it was given. */
  readonly small: SmallImages | undefined;
  /** Class or caption of each image; null where it has none. */
  readonly called: (k: number) => string | null;
  /** Processes that drew. */
  readonly workers: number;
}

export async function drawPlanned(plan: Plan, hands: Hands): Promise<Drawn> {
  const { subject, asked, sampling, noise, classes, only, classifierScale } = plan;
  const { checkpoint, model, beside } = subject;
  const { job, imageSet } = model;
  const { spec } = job;
  const small = await smallImages(plan, hands);
  const count = small ? countOf(small, plan) : (asked.count ?? Math.max(1, spec.sampling.count));
  const labelsOf = (indices: readonly number[]) => {
    if (only !== null) return indices.map(() => only);
    if (!small || classes === 0) return gridLabels(indices, classes);
    return indices.map((k) => small.labels?.[k] ?? noLabel(spec, imageSet.classes));
  };
  // Of images that are there nothing is said but by a prompt.
  const silent = small && asked.words.base === undefined && asked.prompt === undefined;
  if (silent) checkSilence(checkpoint, spec);
  const captionsOf = silent ? undefined : captionsFor(spec, promptsFor(spec, asked.prompt, small?.prompts));
  const lowRes = small && { pixels: small.pixels, noise };
  const { pixels, workers } = await hands.draw(model, {
    ...{ ...sampling, beside, classifierScale, count, labelsOf, captionsOf, lowRes },
  });
  const called = (k: number) => {
    const label = labelsOf([k])?.[0];
    return captionsOf?.([k])[0] ?? (label === undefined ? null : (imageSet.classes[label] ?? String(label)));
  };
  return { plan, pixels, count, small, called, workers };
}

/** Of an upsampler: what it draws from. */
async function smallImages({ subject, asked, sampling }: Plan, hands: Hands): Promise<SmallImages | undefined> {
  const { lowRes, ...rest } = asked;
  if (!lowRes) return undefined;
  const { prior } = asked.words;
  return openSmallImages(hands, { ...rest, lowRes, prior, seed: sampling.seed }, frameOf(subject));
}

function countOf({ pixels }: SmallImages, { subject: { model } }: Plan): number {
  return pixels.length / (model.job.spec.model.lowRes!.size ** 2 * model.imageSet.channels);
}

/** A grid, a column a class or a prompt, or an array. */
export async function writeImages(output: string, { plan, pixels, count, small }: Drawn): Promise<void> {
  const { subject, asked, only, classes } = plan;
  const { job, imageSet } = subject.model;
  const { height, width, channels } = imageSet;
  const prompts = jobPrompts(job.spec);
  if (small) await writeEnlarged(output, pixels, small, { height, width, channels }, job.spec.model.lowRes!.size);
  else if (reads(job.spec) && asked.prompt === undefined)
    await writeDrawn(output, pixels, { count, ...imageSet, classes: prompts }, prompts.length);
  else await writeDrawn(output, pixels, { count, ...imageSet }, only === null ? classes : 0);
}
