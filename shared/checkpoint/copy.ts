// A checkpoint from one store to another, byte by byte as it is: its objects first, each verified on the way, and its
// manifest last, where there is none. Until then the copy does not exist; made again it is finished, or found to be there.

import { PlumeError } from "../errors.ts";
import { inParallel } from "../parallel.ts";
import type { ObjectStore } from "../store/object-store.ts";
import { type CheckOptions, faultsOf } from "./faults.ts";
import { MANIFEST } from "./manifest.ts";
import { type NamedObject, objectsOf, PARALLEL } from "./objects.ts";
import { readPart } from "./parts.ts";
import type { ListedCheckpoint } from "./read.ts";

export interface Copied {
  /** "repaired": it was there, and some of its objects were not whole. */
  readonly kind: "copied" | "repaired" | "there";
  readonly objects: number;
  readonly bytes: number;
}

/**
 * @throws PlumeError DATA_LOSS or NOT_FOUND naming a part of the source that is not whole; ALREADY_EXISTS when the target
 * has another checkpoint of that step.
 */
export async function copyCheckpoint(
  from: ObjectStore,
  to: ObjectStore,
  { prefix, manifest }: Pick<ListedCheckpoint, "prefix" | "manifest">,
  { signal, onRead = () => {} }: CheckOptions = {},
): Promise<Copied> {
  const key = prefix + MANIFEST;
  const sealed = await from.get(key, { signal });
  const named = objectsOf(manifest);
  const exists = await hasManifest(to, key, sealed, signal);
  const wanted = exists ? await damagedOf(to, named, signal) : named;
  await inParallel(wanted, PARALLEL, async (object) => {
    signal?.throwIfAborted();
    await to.put(object.key, await readPart(from, object.key, object), signal);
    onRead(object.size);
  });
  if (!exists) await commit(to, key, sealed, signal);
  const bytes = wanted.reduce((sum, { size }) => sum + size, 0);
  return { kind: !exists ? "copied" : wanted.length > 0 ? "repaired" : "there", objects: wanted.length, bytes };
}

/** @throws PlumeError ALREADY_EXISTS when there is another one. */
async function hasManifest(to: ObjectStore, key: string, sealed: Uint8Array, signal?: AbortSignal): Promise<boolean> {
  if (!(await to.head(key, signal))) return false;
  if (Buffer.compare(await to.get(key, { signal }), sealed) !== 0) throw another(to, key);
  return true;
}

async function damagedOf(to: ObjectStore, named: readonly NamedObject[], signal?: AbortSignal): Promise<NamedObject[]> {
  const faulty = new Set((await faultsOf(to, named, { signal })).map(({ key }) => key));
  return named.filter(({ key }) => faulty.has(key));
}

/** Whoever came first, or answered badly: with the same manifest there it is the same checkpoint. */
async function commit(to: ObjectStore, key: string, sealed: Uint8Array, signal?: AbortSignal): Promise<void> {
  try {
    await to.putIfAbsent(key, sealed, signal);
  } catch (error) {
    if (!(await hasManifest(to, key, sealed, signal))) throw error;
  }
}

const another = (to: ObjectStore, key: string) =>
  new PlumeError("ALREADY_EXISTS", `${to.url}/${key} is the manifest of another checkpoint of that step`, {
    remedy: "copy to another store, or remove that one with plume checkpoints rm",
  });
