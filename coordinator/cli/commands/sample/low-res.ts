// What an upsampler draws from: images of a base model, files, or images of its own data, shrunk.

import type { Weights } from "../../../../shared/config/models.ts";
import type { JobSpec } from "../../../../shared/config/schema.ts";
import type { PatchShape } from "../../../../shared/data/patch.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import type { ReadModel } from "../../../../shared/interop/load-model.ts";
import { gridLabels } from "../../../../shared/pipeline/generate.ts";
import { shrunk } from "../../../../shared/pipeline/low-res.ts";
import { shownClasses } from "../../../../shared/pipeline/tiles.ts";
import type { Beside } from "../../drawing/messages.ts";
import { classOf, decimal } from "../../options.ts";
import { checkDraws, samplingFor } from "../../sampling.ts";
import { IMAGE_OPTIONS, type ImageOptions, parseImages, readImages } from "../edit/images.ts";
import type { Hands } from "./hands.ts";
import { captionsFor, checkPrompt, checkTokens, checkWords, promptsFor, reads } from "./prompt.ts";

export interface LowResOptions extends ImageOptions {
  /** Nearest first. */
  readonly base?: readonly string[];
  readonly lowResNoise?: string;
}

export const BASE_OPTION = [
  "--base <checkpoint>",
  "of an upsampler: a model of small images, which are drawn as its own job says, then enlarged; behind one that is an upsampler itself its own",
] as const;

/** Of an upsampler alone. */
export const LOW_RES_OPTIONS = [
  ...IMAGE_OPTIONS,
  [
    "--low-res-noise <s>",
    "how far small images are noised first, 0 to the job's model.lowRes.noise (default: the job's)",
  ],
] as const;

export type AskedLowRes =
  | { readonly bases: readonly string[]; readonly noise: number | undefined }
  | { readonly images: ReturnType<typeof parseImages>; readonly noise: number | undefined };

/** What can be checked before the model is known; undefined where nothing is said. */
export function parseLowRes(options: LowResOptions): AskedLowRes | undefined {
  const { base, images, fromData, lowResNoise } = options;
  const noise = lowResNoise === undefined ? undefined : decimal("--low-res-noise", lowResNoise, 0);
  if (base === undefined) return images || fromData ? { images: parseImages(options), noise } : undefined;
  const other = Object.keys({ images, fromData, indices: options.indices, resize: options.resize }).find(
    (flag) => options[flag as keyof LowResOptions] !== undefined,
  );
  if (other === undefined) return { bases: base, noise };
  const flag = other === "fromData" ? "--from-data" : `--${other}`;
  throw new PlumeError("INVALID_ARGUMENT", `--base ${base[0]} and ${flag}: images are drawn from one of them`, {
    remedy: "leave one out",
  });
}

/** @throws PlumeError where a model and what is said of low-resolution images do not go together. */
export function checkLowRes(checkpoint: string, { model: { lowRes } }: JobSpec, options: LowResOptions): void {
  const { base, images, fromData, indices, resize, lowResNoise } = options;
  if (lowRes) {
    if (base !== undefined || images || fromData !== undefined) return;
    const { size } = lowRes;
    throw new PlumeError("INVALID_ARGUMENT", `${checkpoint} is an upsampler: it draws from images of ${size}x${size}`, {
      remedy:
        "add --base CHECKPOINT for those of another model, --images FILES, or --from-data test for its own data, shrunk",
    });
  }
  const given = { base, images, "from-data": fromData, indices, resize, "low-res-noise": lowResNoise };
  const flag = Object.entries(given).find(([, value]) => value !== undefined);
  if (!flag) return;
  throw new PlumeError("INVALID_ARGUMENT", `--${flag.join(" ")}: ${checkpoint} is no upsampler`, {
    remedy: `leave it out, or name a run whose job has model.lowRes; plume edit ${checkpoint} changes images`,
  });
}

/** The level to which small images are noised. @throws PlumeError INVALID_ARGUMENT for one that the model has not seen. */
export function noiseOf({ model, sampling }: JobSpec, asked: AskedLowRes | undefined): number {
  const noise = asked?.noise ?? sampling.lowResNoise;
  const most = model.lowRes?.noise ?? 0;
  if (noise <= most) return noise;
  throw new PlumeError("INVALID_ARGUMENT", `--low-res-noise ${noise} is above the ${most} that the model has seen`, {
    remedy: most > 0 ? `use at most --low-res-noise ${most}` : "leave it out: its job has no model.lowRes.noise",
  });
}

/** What the images are drawn from, and how each is called. */
export interface SmallImages {
  /** uint8 [n, S, S, C]. */
  readonly pixels: Uint8Array;
  /** Classes, where they are known. */
  readonly labels: readonly number[] | null;
  /** What they show, in turn, where a base was asked for it. */
  readonly prompts?: readonly string[] | undefined;
  /** Where they were shrunk: uint8 [n, H, W, C]. */
  readonly originals?: Uint8Array;
  /** For `--json`. */
  readonly told: Readonly<Record<string, unknown>>;
}

interface Frame {
  /** Of the upsampler. */
  readonly spec: JobSpec;
  readonly image: PatchShape;
  readonly size: number;
  /** The encoder that it reads captions by. */
  readonly text: Beside["text"];
}

/** Of an upsampler. */
export function frameOf({ model, beside }: Pick<Base, "model" | "beside">): Frame {
  const { spec } = model.job;
  const { height, width, channels } = model.imageSet;
  return { spec, image: { height, width, channels }, size: spec.model.lowRes!.size, text: beside.text };
}

/** @throws PlumeError naming the file or the data, what it is, and what it must be. */
async function readSmallImages(
  asked: ReturnType<typeof parseImages>,
  { spec, image, size }: Frame,
  signal: AbortSignal,
): Promise<SmallImages> {
  if (!("split" in asked)) {
    const small = { height: size, width: size, channels: image.channels };
    const called = "the upsampler's low-resolution images";
    return { ...(await readImages(asked, { spec, image: small, called }, signal)), told: { images: asked.paths } };
  }
  const { pixels, labels } = await readImages(asked, { spec, image }, signal);
  const told = { fromData: asked.split, indices: asked.ids };
  return { pixels: shrunk(pixels, image, size), labels, originals: pixels, told };
}

export interface SmallAsked {
  readonly lowRes: AskedLowRes;
  readonly weights: Weights | undefined;
  readonly count: number | undefined;
  readonly seed: number;
  /** --prior, of a base that is a decoder. */
  readonly prior: string | undefined;
  /** --class. */
  readonly named: string | undefined;
  readonly prompt: string | undefined;
}

/**
 * All of them; a base's are drawn by its own job, from the same seed.
 * @throws PlumeError for a base whose images the upsampler does not take, and as readImages.
 */
export async function openSmallImages(
  hands: Hands,
  { lowRes, ...asked }: SmallAsked,
  frame: Frame,
): Promise<SmallImages> {
  if ("bases" in lowRes) {
    const bases = await readBases(hands, lowRes.bases, asked, frame);
    const specs = [frame.spec, ...bases.map(({ model }) => model.job.spec)];
    checkPrompt(bases[0]!.called, specs, asked.prompt);
    if (asked.prompt === undefined) checkOwnPrompts(bases, frame);
    for (const { model, beside } of bases) await checkTokens(model.job.spec, beside.text, asked.prompt);
    return drawBase(hands, bases, { ...asked, specs });
  }
  if (asked.count !== undefined)
    throw new PlumeError("INVALID_ARGUMENT", `--count ${asked.count} is of images that --base draws`, {
      remedy: "leave it out: as many are drawn as images are named",
    });
  return readSmallImages(lowRes.images, frame, hands.signal);
}

interface Base {
  /** As it was typed. */
  readonly called: string;
  readonly model: ReadModel;
  readonly beside: Beside;
}

/** All of a chain before any is drawn. @throws PlumeError FAILED_PRECONDITION for a base whose images the upsampler does not take. */
async function readBases(
  hands: Hands,
  [called, ...behind]: readonly string[],
  asked: Pick<SmallAsked, "weights" | "prior">,
  frame: Frame,
): Promise<readonly Base[]> {
  const read = { called: called!, model: await hands.read(called!, asked.weights) };
  const { job } = read.model;
  checkDraws(read.called, job.spec);
  checkBehind(read, behind);
  checkSize(read, frame);
  // An upsampler is told no embeddings: a decoder stands at the end.
  const prior = behind.length === 0 ? asked.prior : undefined;
  const base = { ...read, beside: await hands.beside(read.called, read.model, { prior }) };
  if (behind.length === 0) return [base];
  return [base, ...(await readBases(hands, behind, asked, frameOf(base)))];
}

/** An upsampler has a base behind it, and nothing else has. */
function checkBehind({ called, model }: Omit<Base, "beside">, behind: readonly string[]): void {
  const { lowRes } = model.job.spec.model;
  if (!lowRes && behind.length > 0)
    throw new PlumeError("FAILED_PRECONDITION", `--base ${behind[0]}: ${called} is no upsampler and has no base`, {
      remedy: "leave it out, or name upsamplers in the order in which they enlarge, the last one first",
    });
  if (!lowRes || behind.length > 0) return;
  const { size } = lowRes;
  throw new PlumeError("FAILED_PRECONDITION", `--base ${called} is an upsampler of images of ${size}x${size}`, {
    remedy: `name its own base behind it (--base ${called} --base CHECKPOINT), or write its images first (plume sample ${called} --base CHECKPOINT -o base.npy), then name them: --images base.npy`,
  });
}

function checkSize({ called, model }: Omit<Base, "beside">, { size, image }: Frame): void {
  const { height, width, channels } = model.imageSet;
  if (height === size && width === size && channels === image.channels) return;
  throw new PlumeError(
    "FAILED_PRECONDITION",
    `--base ${called} draws images of ${width}x${height}x${channels}, the upsampler takes ${size}x${size}x${image.channels}`,
    { remedy: `name a model that was trained with data.imageSize ${size} on images of as many channels` },
  );
}

/** Prompts of the job of a base are read by all that enlarge its images. @throws PlumeError INVALID_ARGUMENT for a word that one of them does not know. */
function checkOwnPrompts(bases: readonly Base[], frame: Frame): void {
  const drawn = bases.map(({ model, beside }) => ({ spec: model.job.spec, text: beside.text }));
  const first = bases.findLast(({ model }) => reads(model.job.spec));
  const prompts = first?.model.job.spec.sampling.prompts;
  const readers = [frame, ...drawn].filter(({ spec }) => reads(spec));
  if (prompts) checkWords(readers, prompts, `sampling.prompts of ${first.called}:`);
}

interface DrawAsked extends Omit<SmallAsked, "lowRes" | "weights" | "prior"> {
  /** Of the whole chain, first of the upsampler that enlarges these images, then down from it, and around to those above. */
  readonly specs: readonly JobSpec[];
}

async function drawBase(hands: Hands, [base, ...behind]: readonly Base[], asked: DrawAsked): Promise<SmallImages> {
  const { called, model, beside } = base!;
  const { job, imageSet, step, at } = model;
  const { sampling } = job.spec;
  const { count, seed, named, prompt, specs } = asked;
  const n = count ?? Math.max(1, sampling.count);
  const [above, ...below] = specs;
  const small = behind.length > 0 && (await drawBase(hands, behind, { ...asked, count: n, specs: [...below, above!] }));
  const classes = shownClasses(job.spec, beside.classifier);
  const ofAnother = classes === 0 && specs.some((spec) => spec.model.classes > 0);
  const only = named === undefined || ofAnother ? null : classOf(named, imageSet.classes, classes);
  const labelsOf = (indices: readonly number[]) =>
    only === null ? gridLabels(indices, classes) : indices.map(() => only);
  hands.note(`  first ${n} images of ${called}`);
  const how = { ...samplingFor(job.spec, { seed }), classifierScale: sampling.classifierScale };
  const lowRes = small ? { pixels: small.pixels, noise: sampling.lowResNoise } : undefined;
  const prompts = promptsFor(job.spec, prompt, small ? small.prompts : undefined);
  const captionsOf = captionsFor(job.spec, prompts);
  const { pixels } = await hands.draw(model, { ...how, beside, count: n, labelsOf, captionsOf, lowRes });
  const all = Array.from({ length: n }, (_, k) => k);
  const labels = classes === above!.model.classes ? labelsOf(all) : null;
  return { pixels, labels, prompts, told: { base: at, baseStep: step } };
}
