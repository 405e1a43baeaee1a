// Writing a checkpoint: parts first, the manifest last and only where there is none.
//
// I1. Until the manifest is there the checkpoint does not exist, so a writer may die anywhere.
// I2. No part of a whole checkpoint is ever overwritten: one with the same weights is left, another one is refused.

import { randomUUID } from "node:crypto";
import { dumpJob } from "../config/load.ts";
import type { Job } from "../config/schema.ts";
import type { ImageSetCard } from "../data/image-set.ts";
import { PlumeError } from "../errors.ts";
import type { ObjectStore } from "../store/object-store.ts";
import type { Layout } from "../tensor/layout.ts";
import { PLUME_VERSION } from "../version.ts";
import {
  type CheckpointState,
  encodeManifest,
  JOB,
  MANIFEST,
  type Manifest,
  type Part,
  parseManifest,
  prefixOf,
  STATE,
  sha256,
} from "./manifest.ts";
import { faultOf } from "./read.ts";
import { removeCheckpoint } from "./retention.ts";
import { encodeSafetensors } from "./safetensors.ts";

export interface CheckpointContent {
  readonly job: Job;
  readonly layout: Layout;
  readonly step: number;
  readonly set: ImageSetCard;
  /** "params", "ema", "moments.<name>" to the floats of a shard. */
  readonly vectors: Readonly<Record<string, (shard: number) => Float32Array>>;
}

/**
 * Writes the checkpoint of `step`, or finds that the store has these very weights already. What is left of a damaged
 * one is removed first. @throws PlumeError ALREADY_EXISTS for a whole checkpoint of that step with other weights.
 */
export async function writeCheckpoint(
  store: ObjectStore,
  content: CheckpointContent,
  signal?: AbortSignal,
): Promise<{ prefix: string; bytes: number }> {
  const { job, step } = content;
  const prefix = prefixOf(step);
  if (await hasSameWeights(store, content, signal)) return { prefix, bytes: 0 };

  const parts: Part[] = [];
  const putPart = async (part: Omit<Part, "size" | "sha256">, bytes: Uint8Array) => {
    await store.put(prefix + part.key, bytes, signal);
    parts.push({ size: bytes.byteLength, sha256: sha256(bytes), ...part });
  };
  for (const { bytes, ...part } of vectorParts(content)) await putPart(part, bytes);
  await putPart({ key: STATE }, json(stateOf(content)));
  await putPart({ key: JOB }, Buffer.from(dumpJob(job)));

  const manifest: Manifest = {
    version: 1,
    plume: PLUME_VERSION,
    job: job.metadata.name,
    step,
    writer: randomUUID(),
    parts,
  };
  await commit(store, prefix + MANIFEST, manifest, signal);
  return { prefix, bytes: parts.reduce((sum, part) => sum + part.size, 0) };
}

/** One safetensors file for each vector and shard, made when it is asked for. */
function* vectorParts({ layout, vectors }: CheckpointContent) {
  for (const [vector, shardOf] of Object.entries(vectors)) {
    for (const { index, offset: start, tensors } of layout.shards) {
      const floats = shardOf(index);
      const named = tensors.map(({ name, shape, offset, size }) => ({
        name,
        shape,
        values: floats.subarray(offset - start, offset - start + size),
      }));
      const key = `${vector}-${number(index)}-of-${number(layout.shards.length)}.safetensors`;
      yield { key, vector, shard: index, bytes: encodeSafetensors(named, { format: "plume", vector }) };
    }
  }
}

function stateOf({ job, layout, step, set }: CheckpointContent): CheckpointState {
  const { training, seed } = job.spec;
  const samples = step * training.globalBatch;
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

/** Whether the step is there, whole, with these weights; a damaged one is removed, so that it can be written again. */
async function hasSameWeights(store: ObjectStore, content: CheckpointContent, signal?: AbortSignal): Promise<boolean> {
  const prefix = prefixOf(content.step);
  const key = prefix + MANIFEST;
  if (!(await store.head(key, signal))) return false;
  const manifest = parseManifest(content.step, await store.get(key, { signal }));
  if (typeof manifest === "string" || (await faultOf(store, { prefix, manifest }))) {
    await removeCheckpoint(store, content.step);
    return false;
  }
  const digests = new Map(manifest.parts.map((part) => [part.key, part.sha256]));
  for (const part of vectorParts(content))
    if (digests.get(part.key) !== sha256(part.bytes)) throw otherWeights(`${store.url}/${key}`);
  return true;
}

/** The manifest makes the checkpoint exist. One that names the very same parts is this one: the put was tried twice. */
async function commit(store: ObjectStore, key: string, manifest: Manifest, signal?: AbortSignal): Promise<void> {
  try {
    await store.putIfAbsent(key, encodeManifest(manifest), signal);
  } catch (error) {
    if (!(error instanceof PlumeError) || error.code !== "ALREADY_EXISTS") throw error;
    const there = parseManifest(manifest.step, await store.get(key, { signal }));
    const same = typeof there !== "string" && JSON.stringify(there.parts) === JSON.stringify(manifest.parts);
    if (!same) throw otherWeights(`${store.url}/${key}`, error);
  }
}

function otherWeights(where: string, cause?: unknown): PlumeError {
  return new PlumeError("ALREADY_EXISTS", `${where} exists already and holds other weights`, {
    remedy: "give this run a store of its own, resume the one that wrote it, or remove it with plume checkpoints rm",
    cause,
  });
}

const number = (n: number): string => String(n).padStart(5, "0");
const json = (value: unknown): Buffer => Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
