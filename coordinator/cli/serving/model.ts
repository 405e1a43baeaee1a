// The model that is served: read again when a run has a newer checkpoint, held by processes that stay.

import type { BackendName } from "../../../shared/backends/backend.ts";
import { locateCheckpoint } from "../../../shared/checkpoint/locate.ts";
import { MANIFEST } from "../../../shared/checkpoint/manifest.ts";
import type { Weights } from "../../../shared/config/models.ts";
import type { PatchShape } from "../../../shared/data/patch.ts";
import { PlumeError } from "../../../shared/errors.ts";
import type { ModelAnswer } from "../../../shared/http/images-api.ts";
import { flatOf, type ReadModel, readModel } from "../../../shared/interop/load-model.ts";
import { isModelFolder } from "../../../shared/interop/read.ts";
import { generates, mixes } from "../../../shared/models/index.ts";
import { jobPrompts, readsAnyWords } from "../../../shared/pipeline/captions.ts";
import { shownClasses } from "../../../shared/pipeline/tiles.ts";
import { fitsModel, SAMPLER_NAMES } from "../../../shared/samplers/index.ts";
import { WORDS } from "../../../shared/scenes/words.ts";
import { chooseBackendFor } from "../backend.ts";
import { type Asked, type ImageWords, parseAsked, wayFor } from "../commands/sample/asked.ts";
import { readBeside } from "../commands/sample/beside.ts";
import type { Hands, ImagesWanted } from "../commands/sample/hands.ts";
import {
  type Drawn,
  drawPlanned,
  type Plan,
  planImages,
  type Subject,
  writeImages,
} from "../commands/sample/images.ts";
import { reads } from "../commands/sample/prompt.ts";
import { drawerBatches } from "../drawing/batches.ts";
import type { Beside } from "../drawing/messages.ts";
import { openPool, type Pool } from "../drawing/pool.ts";
import { drawersFor } from "../drawing/workers.ts";
import type { Sampling } from "../sampling.ts";
import { MOST } from "./request.ts";

export interface ServedOptions {
  readonly weights: Weights | undefined;
  /** Of an upsampler: models of small images, nearest first. */
  readonly bases: readonly string[];
  readonly classifier: string | undefined;
  /** Of a decoder, or a base that is one. */
  readonly prior: string | undefined;
  readonly backend: string | undefined;
  readonly workers: number | undefined;
  /** Ends the processes. */
  readonly signal: AbortSignal;
}

/** What a request came to. */
export interface Pictures {
  /** Of the weights. */
  readonly step: number;
  readonly weights: Weights;
  readonly how: Sampling;
  readonly image: PatchShape;
  readonly count: number;
  /** uint8 [count, H, W, C]. */
  readonly pixels: Uint8Array;
  /** Class or caption of an image; null where it has none. */
  readonly called: (index: number) => string | null;
  /** The very file that `plume sample -o FILE` writes: a grid as .png, or an array as .npy. */
  readonly write: (file: string) => Promise<void>;
}

/** What draws: all that the server knows of a model. */
export interface Served extends Disposable {
  /** Words of every request. */
  readonly fixed: Pick<ImageWords, "base" | "prior" | "weights">;
  /** By the weights of now. */
  about(): Promise<ModelAnswer>;
  /** Before it waits. @throws PlumeError for what the model cannot do. */
  check(asked: Asked): Promise<void>;
  /** By the weights of now. @param onProgress images that are there, those in the making as shares. @throws the reason of `off`. */
  draw(asked: Asked, onProgress: (images: number, count: number) => void, off: AbortSignal): Promise<Pictures>;
}

/** Reads the model and opens the processes that draw. @throws PlumeError where that cannot be done. */
export async function openServed(checkpoint: string, options: ServedOptions): Promise<Served> {
  const { weights, bases, prior, workers, signal } = options;
  const fixed = {
    ...(bases.length > 0 && { base: bases }),
    ...(prior !== undefined && { prior }),
    ...(weights && { weights }),
  };
  const read = createReader();
  const first = await read(checkpoint, weights);
  checkBase(checkpoint, first, bases);
  wayFor(checkpoint, first.job.spec, parseAsked({ seed: "0", ...fixed }));
  const backend = await chooseBackendFor(options.backend, first.job);
  const hold = createHolder({ backend, workers, models: 1 + bases.length, signal });

  const beside = createBesideReader();
  const subject = async (): Promise<Subject> => {
    const model = await read(checkpoint, weights);
    const own = { classifier: options.classifier, prior: bases.length === 0 ? prior : undefined };
    return { checkpoint, model, beside: await beside(checkpoint, model, own) };
  };
  const plan = async (asked: Asked): Promise<Plan> => {
    const of = await subject();
    return planImages(of, asked, wayFor(checkpoint, of.model.job.spec, asked));
  };
  await hold.open(first, (await subject()).beside);

  return {
    fixed,
    async about() {
      const below = bases.map(async (base, k) => {
        const model = await read(base, weights);
        return { model, beside: await beside(base, model, { prior: k === bases.length - 1 ? prior : undefined }) };
      });
      return aboutOf([await subject(), ...(await Promise.all(below))]);
    },
    async check(asked) {
      await plan(asked);
    },
    async draw(asked, onProgress, off) {
      const draw: Hands["draw"] = (of, wanted) => hold.draw(of, wanted, onProgress, off);
      return picturesOf(await drawPlanned(await plan(asked), { read, beside, draw, signal: off, note: () => {} }));
    },
    [Symbol.dispose]: () => hold[Symbol.dispose](),
  };
}

function checkBase(checkpoint: string, { job }: ReadModel, bases: readonly string[]): void {
  const { lowRes } = job.spec.model;
  if (!lowRes || bases.length > 0) return;
  const { size } = lowRes;
  throw new PlumeError("INVALID_ARGUMENT", `${checkpoint} is an upsampler: it draws from images of ${size}x${size}`, {
    remedy: "add --base CHECKPOINT: a model that draws them",
  });
}

/** Reads what a model draws with once: its job knows that by the sha256, and processes hold it. */
function createBesideReader(): typeof readBeside {
  const known = new Map<string, Promise<Beside>>();
  return (checkpoint, model, asked) => {
    const reading = known.get(checkpoint) ?? readBeside(checkpoint, model, asked);
    known.set(checkpoint, reading);
    reading.catch(() => known.delete(checkpoint)); // it may be there the next time
    return reading;
  };
}

/** Reads a model once, and again when there is a newer checkpoint of it. */
function createReader() {
  const known = new Map<string, { readonly newest: string; readonly model: Promise<ReadModel> }>();
  return async (checkpoint: string, weights: Weights | undefined): Promise<ReadModel> => {
    const newest = await newestOf(checkpoint);
    const kept = known.get(checkpoint);
    if (kept?.newest === newest) return kept.model;
    const model = readModel(checkpoint, weights);
    known.set(checkpoint, { newest, model });
    model.catch(() => known.delete(checkpoint));
    return model;
  };
}

/** What tells of another one. */
async function newestOf(checkpoint: string): Promise<string> {
  if (isModelFolder(checkpoint)) return "";
  const { store, which } = await locateCheckpoint(checkpoint);
  if (which !== "latest") return String(which);
  const manifests: string[] = [];
  for await (const { key, modifiedMs } of store.list("step-"))
    if (key.endsWith(`/${MANIFEST}`)) manifests.push(`${key} ${modifiedMs}`);
  return manifests.sort().join("\n");
}

interface HolderOptions {
  readonly backend: BackendName;
  readonly workers: number | undefined;
  /** Networks that are held at once. */
  readonly models: number;
  readonly signal: AbortSignal;
}

interface Held {
  readonly pool: Pool;
  loaded: ReadModel | null;
}

/** Processes that hold a network, whatever its weights; those of one that has changed are others. */
function createHolder({ backend, workers, models, signal }: HolderOptions) {
  const held = new Map<string, Held>();
  const drop = (key: string) => {
    held.get(key)?.pool[Symbol.dispose]();
    held.delete(key);
  };
  const open = async (model: ReadModel, beside: Beside): Promise<[string, Held]> => {
    const { height, width, channels } = model.imageSet;
    const drawn = { spec: model.job.spec, image: { height, width, channels } };
    const key = JSON.stringify(drawn);
    const known = held.get(key);
    if (known?.pool.isWhole) return [key, known];
    drop(key);
    while (held.size >= models) drop([...held.keys()][0]!);
    const n = drawersFor(workers, backend, Number.POSITIVE_INFINITY);
    const opened: Held = { pool: await openPool(n, { backend, model: drawn, beside }, signal), loaded: null };
    held.set(key, opened);
    return [key, opened];
  };
  const load = async (of: Held, model: ReadModel) => {
    if (of.loaded === model) return;
    of.loaded = null;
    await of.pool.load((await flatOf(model)).flat);
    of.loaded = model;
  };
  return {
    open,
    async draw(
      model: ReadModel,
      { beside, ...wanted }: ImagesWanted,
      onProgress: (images: number, count: number) => void,
      off: AbortSignal,
    ) {
      const { height, width, channels } = model.imageSet;
      const batches = drawerBatches(wanted, { height, width, channels });
      const [key, of] = await open(model, beside);
      try {
        await load(of, model);
        const { pixels } = await of.pool.draw(batches, (images) => onProgress(images, wanted.count), off);
        return { pixels, workers: drawersFor(workers, backend, batches.length) };
      } catch (error) {
        if (!off.aborted) drop(key); // a process may be gone: the next drawing begins with new ones
        throw error;
      }
    },
    [Symbol.dispose]() {
      for (const key of [...held.keys()]) drop(key);
    },
  };
}

function picturesOf(drawn: Drawn): Pictures {
  const { plan, count, pixels, called } = drawn;
  const { step, weights, imageSet } = plan.subject.model;
  const { height, width, channels } = imageSet;
  const write = (file: string) => writeImages(file, drawn);
  return { step, weights, how: plan.sampling, image: { height, width, channels }, count, pixels, called, write };
}

/** @param chain the model, and those that draw its small images. */
function aboutOf(chain: readonly Pick<Subject, "model" | "beside">[]): ModelAnswer {
  const { model } = chain[0]!;
  const [base] = chain.slice(1);
  const { job, step, weights, imageSet } = model;
  const { spec } = job;
  const { sampling, diffusion } = spec;
  const { width, height, channels } = imageSet;
  // An upsampler without classes may have a base with some.
  const classesOf = (each: (typeof chain)[number]) =>
    shownClasses(each.model.job.spec, each === chain[0] ? each.beside.classifier : undefined);
  const named = chain.find((each) => classesOf(each) > 0) ?? chain[0]!;
  const count = classesOf(named);
  const readers = chain.filter((each) => reads(each.model.job.spec));
  const anyWords = readers.every((each) => readsAnyWords(each.model.job.spec, each.beside.text));
  const byNoProcess = generates(spec.model.type);
  return {
    ...{ name: job.metadata.name, step, weights, image: { width, height, channels } },
    classes: Array.from({ length: count }, (_, k) => named.model.imageSet.classes[k] ?? String(k)),
    captions: readers[0] ? { words: anyWords ? [] : WORDS, examples: jobPrompts(readers[0].model.job.spec) } : null,
    guided: mixes(spec.model.type) && (spec.model.classes > 0 || reads(spec)),
    samplers: SAMPLER_NAMES.filter((name) => fitsModel(name, { ...diffusion, generates: byNoProcess })),
    defaults: {
      ...{ sampler: sampling.sampler, steps: sampling.steps, guidance: sampling.guidance, seed: 0 },
      count: Math.max(1, (base?.model ?? model).job.spec.sampling.count),
    },
    most: { ...MOST, steps: diffusion.process === "ddpm" ? diffusion.timesteps : MOST.steps },
  };
}
