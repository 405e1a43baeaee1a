// Reading checkpoints: only those with a valid manifest exist, and every byte is verified before it is used.

import { parseJob } from "../config/load.ts";
import type { Job } from "../config/schema.ts";
import { PlumeError } from "../errors.ts";
import type { ObjectStore } from "../store/object-store.ts";
import type { Layout, PlacedTensor } from "../tensor/layout.ts";
import { ahead } from "./ahead.ts";
import { type ListedCheckpoint, listCheckpoints } from "./list.ts";
import {
  type CheckpointState,
  firstIssue,
  JOB,
  MANIFEST,
  type Manifest,
  type Part,
  partNamed,
  STATE,
  stateSchema,
} from "./manifest.ts";
import { isDamage } from "./objects.ts";
import { readPart } from "./parts.ts";
import { decodeSafetensors, spansOf, type TensorSpan } from "./safetensors.ts";

export { type ListedCheckpoint, listCheckpoints } from "./list.ts";

/** A checkpoint whose job and state are read, and whose parts can be. */
export interface OpenCheckpoint {
  readonly job: Job;
  readonly state: CheckpointState;
  readonly manifest: Manifest;
  /** Verified parts of these vectors (all when absent), in the manifest's order, a few of them read ahead. */
  parts(vectors?: readonly string[]): AsyncIterable<ReadPart>;
  /** A verified file beside them, or null when it has none of that name. */
  file(name: string): Promise<Uint8Array | null>;
}

export interface ReadPart {
  readonly vector: string;
  /** Of the file, for messages. */
  readonly name: string;
  readonly file: Uint8Array;
}

export interface Checkpoint {
  readonly state: CheckpointState;
  readonly job: Job;
  /** By vector name, then by tensor name: "params", "ema", "moments.m". */
  readonly vectors: Readonly<Record<string, ReadonlyMap<string, Float32Array>>>;
}

export interface FindOptions {
  /** With "latest": a newer checkpoint was passed over because it is not whole. */
  readonly onSkipped?: ((step: number, reason: string) => void) | undefined;
}

export interface ReadOptions extends FindOptions {
  /** What the reader wants to put the tensors into; checked before anything is returned. */
  readonly layout?: Layout;
  /** Vectors to read; all when absent. */
  readonly vectors?: readonly string[];
}

/** Bytes of parts that are read ahead. */
const AHEAD_BYTES = 64 << 20;

/** @throws PlumeError NOT_FOUND, DATA_LOSS naming the part, FAILED_PRECONDITION for another model's checkpoint. */
export const readCheckpoint = (
  store: ObjectStore,
  which: "latest" | number,
  options: ReadOptions = {},
): Promise<Checkpoint> => useCheckpoint(store, which, (open) => collect(open, options), options);

/**
 * Opens a checkpoint and uses it; with "latest" an older one where the newest is found not to be whole, then or while it
 * is used. Whatever `use` had of it before is void. @throws as readCheckpoint.
 */
export async function useCheckpoint<T>(
  store: ObjectStore,
  which: "latest" | number,
  use: (checkpoint: OpenCheckpoint) => Promise<T>,
  { onSkipped }: FindOptions = {},
): Promise<T> {
  const invalid: { step: number; reason: string }[] = [];
  const all = await listCheckpoints(store, (step, reason) => invalid.push({ step, reason }));
  if (which !== "latest") {
    const listed = all.find(({ step }) => step === which);
    if (listed) return use(await open(store, listed));
    const torn = invalid.find(({ step }) => step === which);
    if (torn) throw new PlumeError("DATA_LOSS", torn.reason, { remedy: stepsOf(all) });
    throw new PlumeError("NOT_FOUND", `${store.url} has no checkpoint of step ${which}`, { remedy: stepsOf(all) });
  }
  for (const candidate of [...all, ...invalid].sort((a, b) => b.step - a.step)) {
    if ("reason" in candidate) {
      onSkipped?.(candidate.step, candidate.reason);
      continue;
    }
    try {
      return await use(await open(store, candidate));
    } catch (error) {
      if (!isDamage(error)) throw error;
      onSkipped?.(candidate.step, error.message);
    }
  }
  throw new PlumeError("NOT_FOUND", `${store.url} has no whole checkpoint`, { remedy: stepsOf(all) });
}

function stepsOf(all: readonly ListedCheckpoint[]): string {
  if (all.length === 0) return "it holds no checkpoint at all";
  return `it has step${all.length > 1 ? "s" : ""} ${all.map(({ step }) => step).join(", ")}`;
}

async function open(store: ObjectStore, { prefix, manifest }: ListedCheckpoint): Promise<OpenCheckpoint> {
  const file = async (name: string): Promise<Uint8Array | null> => {
    const part = partNamed(manifest, name);
    return part ? readPart(store, prefix + part.key, part) : null;
  };
  const text = async (name: string): Promise<string> => {
    const bytes = await file(name);
    if (!bytes) throw new PlumeError("DATA_LOSS", `${store.url}/${prefix}${MANIFEST} names no ${name}`);
    return Buffer.from(bytes).toString("utf8");
  };
  const state = parseState(`${store.url}/${prefix}${STATE}`, await text(STATE));
  const job = parseJob(await text(JOB), { file: `${prefix}${JOB}` });
  const read = async (part: Part): Promise<ReadPart> => ({
    vector: part.vector!,
    name: prefix + part.key,
    file: await readPart(store, prefix + part.key, part),
  });
  return {
    job,
    state,
    manifest,
    file,
    parts(vectors) {
      const wanted = manifest.parts.filter(({ vector }) => vector !== undefined && (vectors?.includes(vector) ?? true));
      return ahead(wanted, { weight: AHEAD_BYTES, of: ({ size }) => size }, read);
    },
  };
}

/** All of it in memory. */
async function collect(checkpoint: OpenCheckpoint, { layout, vectors: wanted }: ReadOptions): Promise<Checkpoint> {
  const { state, job } = checkpoint;
  const vectors: Record<string, Map<string, Float32Array>> = {};
  for await (const { vector, name: part, file } of checkpoint.parts(wanted)) {
    vectors[vector] ??= new Map();
    for (const { name, shape, values } of decodeSafetensors(file, part).values()) {
      if (layout) placeOf(layout, name, shape);
      vectors[vector].set(name, values);
    }
  }
  if (layout) for (const vector of Object.values(vectors)) checkComplete(layout, new Set(vector.keys()));
  return { state, job, vectors };
}

/** What a whole checkpoint's state.json says. @throws PlumeError FAILED_PRECONDITION: its bytes are as they were written. */
function parseState(where: string, text: string): CheckpointState {
  const parsed = stateSchema.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  throw new PlumeError(
    "FAILED_PRECONDITION",
    `${where} was written by another version of plume: ${firstIssue(parsed.error)}`,
    {
      remedy: "read it with the version that its manifest names",
    },
  );
}

/** The tensors of a part, and where each goes in a layout. @throws PlumeError DATA_LOSS, FAILED_PRECONDITION for another model. */
export const placedSpans = (layout: Layout, { file, name }: ReadPart): { span: TensorSpan; tensor: PlacedTensor }[] =>
  spansOf(file, name).map((span) => ({ span, tensor: placeOf(layout, span.name, span.shape) }));

const OTHER_MODEL = { remedy: "resume with the job that wrote it, or start over with --resume never" };

function placeOf(layout: Layout, name: string, shape: readonly number[]): PlacedTensor {
  const own = layout.tensors.find((tensor) => tensor.name === name);
  if (!own)
    throw new PlumeError(
      "FAILED_PRECONDITION",
      `a checkpoint of another model: it has tensor ${name}, this job's model does not`,
      OTHER_MODEL,
    );
  if (own.shape.join() !== shape.join())
    throw new PlumeError(
      "FAILED_PRECONDITION",
      `a checkpoint of another model: tensor ${name} is [${shape}], this job's model wants [${own.shape}]`,
      OTHER_MODEL,
    );
  return own;
}

/** @throws PlumeError FAILED_PRECONDITION naming a tensor of the layout that is not there. */
export function checkComplete(layout: Layout, names: ReadonlySet<string>): void {
  const missing = layout.tensors.find(({ name }) => !names.has(name));
  if (missing)
    throw new PlumeError(
      "FAILED_PRECONDITION",
      `a checkpoint of another model: it lacks tensor ${missing.name}`,
      OTHER_MODEL,
    );
}
