// Writing a checkpoint: parts first, the manifest last and only where there is none.

import { randomUUID } from "node:crypto";
import { dumpJob } from "../config/load.ts";
import type { Job } from "../config/schema.ts";
import type { ImageSet } from "../data/image-set.ts";
import { PlumeError } from "../errors.ts";
import type { ObjectStore } from "../store/object-store.ts";
import type { Layout } from "../tensor/layout.ts";
import { PLUME_VERSION } from "../version.ts";
import {
  type CheckpointState,
  JOB,
  MANIFEST,
  type Manifest,
  manifestSchema,
  type Part,
  prefixOf,
  STATE,
  sha256,
} from "./manifest.ts";
import { encodeSafetensors } from "./safetensors.ts";

export interface CheckpointContent {
  readonly job: Job;
  readonly layout: Layout;
  readonly step: number;
  readonly set: Pick<ImageSet, "name" | "size" | "digest" | "height" | "width" | "channels" | "classes">;
  /** "params", "ema", "moments.<name>" to the floats of a shard. */
  readonly vectors: Readonly<Record<string, (shard: number) => Float32Array>>;
}

export async function writeCheckpoint(
  store: ObjectStore,
  { job, layout, step, set, vectors }: CheckpointContent,
  signal?: AbortSignal,
): Promise<{ prefix: string; bytes: number }> {
  const prefix = prefixOf(step);
  const parts: Part[] = [];
  const putPart = async (name: string, bytes: Uint8Array, about: Pick<Part, "vector" | "shard"> = {}) => {
    await store.put(prefix + name, bytes, signal);
    parts.push({ key: name, size: bytes.byteLength, sha256: sha256(bytes), ...about });
  };

  for (const [vector, shardOf] of Object.entries(vectors)) {
    for (const shard of layout.shards) {
      const floats = shardOf(shard.index);
      const tensors = shard.tensors.map(({ name, shape, offset, size }) => ({
        name,
        shape,
        values: floats.subarray(offset - shard.offset, offset - shard.offset + size),
      }));
      const name = `${vector}-${number(shard.index)}-of-${number(layout.shards.length)}.safetensors`;
      await putPart(name, encodeSafetensors(tensors, { format: "plume", vector }), { vector, shard: shard.index });
    }
  }
  const { training, seed } = job.spec;
  const samples = step * training.globalBatch;
  const { name, size, digest, height, width, channels, classes } = set;
  const state: CheckpointState = {
    step,
    epoch: Math.floor(samples / size),
    cursor: samples % size,
    seed,
    layoutDigest: layout.digest,
    imageSet: { name, size, digest, height, width, channels, classes: [...classes] },
  };
  await putPart(STATE, json(state));
  await putPart(JOB, Buffer.from(dumpJob(job)));

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

/** The manifest makes the checkpoint exist. An earlier manifest is fine if it names the very same parts. */
async function commit(store: ObjectStore, key: string, manifest: Manifest, signal?: AbortSignal): Promise<void> {
  try {
    await store.putIfAbsent(key, json(manifest), signal);
  } catch (error) {
    if (!(error instanceof PlumeError) || error.code !== "ALREADY_EXISTS") throw error;
    const there = manifestSchema.safeParse(JSON.parse(Buffer.from(await store.get(key, { signal })).toString("utf8")));
    const same = there.success && JSON.stringify(there.data.parts) === JSON.stringify(manifest.parts);
    if (same) return;
    throw new PlumeError("ALREADY_EXISTS", `${store.url}/${key} exists already and holds other weights`, {
      remedy: "give this run a store of its own, or resume the one that wrote it",
      cause: error,
    });
  }
}

const number = (n: number): string => String(n).padStart(5, "0");
const json = (value: unknown): Buffer => Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
