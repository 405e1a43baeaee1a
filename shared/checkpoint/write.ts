// Writing a checkpoint: parts first, the manifest last and only where there is none.
//
// I1. Until the manifest is there the checkpoint does not exist, so a writer may die anywhere.
// I2. No part of a whole checkpoint is ever overwritten: its key holds a piece of its digest, so that writers of other
//     bytes write other objects, whoever is first.
// I3. Of several writers of one step one manifest wins. The others find the same weights in it, or name both writers.

import { randomUUID } from "node:crypto";
import { dumpJob } from "../config/load.ts";
import type { Job } from "../config/schema.ts";
import { samplesOf } from "../config/turns.ts";
import type { ImageSetCard } from "../data/image-set.ts";
import { PlumeError } from "../errors.ts";
import { inParallel } from "../parallel.ts";
import type { ObjectStore } from "../store/object-store.ts";
import type { Layout } from "../tensor/layout.ts";
import { PLUME_VERSION } from "../version.ts";
import { digestOf } from "./digest.ts";
import { faultsOf } from "./faults.ts";
import type { ExtendLedger } from "./ledger-chain.ts";
import {
  addressed,
  type CheckpointState,
  encodeManifest,
  isNewerFormat,
  JOB,
  type LedgerSegment,
  MANIFEST,
  type Manifest,
  type Part,
  parseManifest,
  prefixOf,
  STATE,
} from "./manifest.ts";
import { partObjects } from "./objects.ts";
import { removeCheckpoint } from "./retention.ts";
import { encodeSafetensors } from "./safetensors.ts";

/** What a checkpoint is of. */
export interface CheckpointHead {
  readonly job: Job;
  readonly layout: Layout;
  readonly step: number;
  readonly set: ImageSetCard;
  /** What else the run goes on with, as files by their names. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
}

export interface CheckpointContent extends CheckpointHead {
  /** "params", "ema", "moments.<name>" to the floats of a shard. */
  readonly vectors: Readonly<Record<string, (shard: number) => Float32Array>>;
}

/** A shard of a vector, on its way. */
export interface PartSource {
  readonly vector: string;
  readonly shard: number;
  /** The whole safetensors file; asked for once, in the order of the parts. */
  take(): Promise<Uint8Array>;
  /** Nobody needs its bytes any more. */
  release(): void;
}

export interface WriteOptions {
  readonly signal?: AbortSignal | undefined;
  /** Makes a call of the store; whoever wants it made again after a failure does so here. */
  readonly attempt?: <T>(call: () => Promise<T>) => Promise<T>;
  /** Who writes, for whoever meets what is written. */
  readonly writer?: string;
  readonly ledger?: ExtendLedger;
}

export interface WrittenCheckpoint {
  readonly prefix: string;
  /** Bytes put; 0 when the store had these very weights already. */
  readonly bytes: number;
  readonly ledger: readonly LedgerSegment[];
}

/** Parts on their way at once. */
const PARALLEL = 4;

/**
 * Writes the checkpoint of `step`, or finds that the store has these very weights already. What is left of a damaged
 * one is removed first. @throws PlumeError ALREADY_EXISTS for a whole checkpoint of that step with other weights.
 */
export const writeCheckpoint = (
  store: ObjectStore,
  content: CheckpointContent,
  signal?: AbortSignal,
): Promise<WrittenCheckpoint> => writeParts(store, content, partsOf(content), { signal });

/** The same with parts that come when they come. */
export async function writeParts(
  store: ObjectStore,
  head: CheckpointHead,
  sources: Iterable<PartSource>,
  { signal, attempt = (call) => call(), writer = randomUUID(), ledger }: WriteOptions = {},
): Promise<WrittenCheckpoint> {
  const { job, step, layout } = head;
  const prefix = prefixOf(step);
  const there = await attempt(() => existing(store, step, signal));
  const parts: Part[] = [];
  let bytes = 0;
  const put = async (key: string, content: Uint8Array) => {
    await attempt(() => store.put(key, content, signal));
    bytes += content.byteLength;
  };
  const putPart = async (name: string, content: Uint8Array, of: Pick<Part, "vector" | "shard"> = {}) => {
    const sha256 = await digestOf(content);
    const part = { key: addressed(name, sha256), size: content.byteLength, sha256, ...of };
    if (!there) await put(prefix + part.key, content);
    else if (of.vector && !sameWeights(there, part))
      throw otherWriter(`${store.url}/${prefix}${MANIFEST}`, there, writer);
    parts.push(part);
  };

  await inParallel(sources, PARALLEL, async (source) => {
    const { vector, shard } = source;
    try {
      const name = `${vector}-${number(shard)}-of-${number(layout.shards.length)}.safetensors`;
      await putPart(name, await source.take(), { vector, shard });
    } finally {
      source.release();
    }
  });
  if (there) return { prefix, bytes: 0, ledger: there.ledger };
  parts.sort((a, b) => (a.key < b.key ? -1 : 1));
  for (const [name, content] of Object.entries(head.files ?? {})) await putPart(name, content);
  await putPart(STATE, json(stateOf(head)));
  await putPart(JOB, Buffer.from(dumpJob(job)));
  const segments = ledger ? await ledger(step, put) : [];

  const { name } = job.metadata;
  await commit(store, { plume: PLUME_VERSION, job: name, step, writer, parts, ledger: segments }, attempt, signal);
  return { prefix, bytes, ledger: segments };
}

/** One safetensors file for each vector and shard, made when it is asked for. */
export function* partsOf({ layout, vectors }: CheckpointContent): Generator<PartSource> {
  for (const [vector, shardOf] of Object.entries(vectors)) {
    for (const { index, offset: start, tensors } of layout.shards) {
      const take = async () => {
        const floats = shardOf(index);
        const values = (from: number, size: number) => floats.subarray(from - start, from - start + size);
        const named = tensors.map(({ name, shape, offset, size }) => ({ name, shape, values: values(offset, size) }));
        return encodeSafetensors(named, metadataOf(vector));
      };
      yield { vector, shard: index, take, release: () => {} };
    }
  }
}

/** What a part's own header says of it. */
export const metadataOf = (vector: string): Record<string, string> => ({ format: "plume", vector });

function stateOf({ job, layout, step, set }: CheckpointHead): CheckpointState {
  const { seed } = job.spec;
  const samples = samplesOf(job.spec, step);
  const { name, size, digest, height, width, channels, classes } = set;
  return {
    step,
    epoch: Math.floor(samples / size),
    cursor: samples % size,
    seed,
    layoutDigest: layout.digest,
    imageSet: { name, size, digest, height, width, channels, classes: [...classes] },
  };
}

/** The step's manifest when it is there and whole; a damaged checkpoint is removed, so that it can be written again. */
async function existing(store: ObjectStore, step: number, signal?: AbortSignal): Promise<Manifest | null> {
  const prefix = prefixOf(step);
  const key = prefix + MANIFEST;
  if (!(await store.head(key, signal))) return null;
  const bytes = await store.get(key, { signal });
  const manifest = parseManifest(step, bytes);
  if (typeof manifest === "string" && isNewerFormat(bytes))
    throw new PlumeError("ALREADY_EXISTS", `${store.url}/${key} ${manifest}`, { remedy: OWN_STORE });
  if (typeof manifest !== "string" && (await faultsOf(store, partObjects(manifest), { signal })).length === 0)
    return manifest;
  await removeCheckpoint(store, step);
  return null;
}

const sameWeights = ({ parts }: Pick<Manifest, "parts">, { vector, shard, sha256 }: Part): boolean =>
  parts.some((part) => part.vector === vector && part.shard === shard && part.sha256 === sha256);

/** The manifest makes the checkpoint exist. What an answer leaves open, the manifest that is there tells. */
async function commit(
  store: ObjectStore,
  manifest: Omit<Manifest, "version">,
  attempt: <T>(call: () => Promise<T>) => Promise<T>,
  signal?: AbortSignal,
): Promise<void> {
  const key = prefixOf(manifest.step) + MANIFEST;
  try {
    await attempt(() => store.putIfAbsent(key, encodeManifest(manifest), signal));
  } catch (error) {
    const bytes = await store.get(key, { signal }).catch(() => null);
    const there = bytes && parseManifest(manifest.step, bytes);
    if (!there || typeof there === "string") throw error;
    const weights = manifest.parts.filter(({ vector }) => vector !== undefined);
    if (there.writer === manifest.writer || weights.every((part) => sameWeights(there, part))) return;
    throw otherWriter(`${store.url}/${key}`, there, manifest.writer, error);
  }
}

const OWN_STORE =
  "give this run a store of its own, resume the one that wrote it, or remove it with plume checkpoints rm";

function otherWriter(where: string, there: Manifest, writer: string, cause?: unknown): PlumeError {
  const message = `${where} exists already and holds other weights: ${there.writer} wrote it, and ${writer} did not`;
  return new PlumeError("ALREADY_EXISTS", message, { remedy: OWN_STORE, cause });
}

const number = (n: number): string => String(n).padStart(5, "0");
const json = (value: unknown): Buffer => Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
