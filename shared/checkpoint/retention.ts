// Which checkpoints stay. The manifest goes first: from then on the checkpoint does not exist, whatever remains of it.

import type { ObjectStore } from "../store/object-store.ts";
import { MANIFEST, prefixOf } from "./manifest.ts";
import { listCheckpoints } from "./read.ts";

export async function removeCheckpoint(store: ObjectStore, step: number): Promise<void> {
  const prefix = prefixOf(step);
  await store.delete(prefix + MANIFEST);
  const keys: string[] = [];
  for await (const key of store.list(prefix)) keys.push(key);
  for (const key of keys) await store.delete(key);
}

/** Removes all but the newest `keep`. @returns the steps removed. */
export async function applyRetention(store: ObjectStore, keep: number): Promise<number[]> {
  const all = await listCheckpoints(store);
  const old = all.slice(0, Math.max(0, all.length - keep)).map(({ step }) => step);
  for (const step of old) await removeCheckpoint(store, step);
  return old;
}
