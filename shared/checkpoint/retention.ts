// Which checkpoints stay. The manifest goes first: from then on the checkpoint does not exist, whatever remains of it.

import type { ObjectStore } from "../store/object-store.ts";
import { MANIFEST, prefixOf, stepOfKey } from "./manifest.ts";
import { listCheckpoints } from "./read.ts";

export async function removeCheckpoint(store: ObjectStore, step: number): Promise<void> {
  const prefix = prefixOf(step);
  await store.delete(prefix + MANIFEST);
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  for (const key of keys) await store.delete(key);
}

/**
 * Removes all but the newest `keep` and step 0, and what writers that died left below the newest: nothing at or above it is
 * touched, so a checkpoint that is being written is safe. @returns the steps removed.
 */
export async function applyRetention(store: ObjectStore, keep: number): Promise<number[]> {
  const all = (await listCheckpoints(store)).map(({ step }) => step);
  const newest = all.at(-1);
  if (newest === undefined) return [];
  // Step 0 may be an imported start, which no seed gives again.
  const kept = new Set([0, ...all.slice(-keep)]);
  const old = new Set<number>();
  for await (const { key } of store.list("step-")) {
    const step = stepOfKey(key);
    if (step !== null && step < newest && !kept.has(step)) old.add(step);
  }
  for (const step of old) await removeCheckpoint(store, step);
  return [...old];
}
