// Which checkpoints stay, and what may go that no manifest names.
//
// I1. The manifest goes first: from then on the checkpoint does not exist, whatever remains of it.
// I2. Nothing above the newest checkpoint is touched: a writer may be at it.
// I3. What only a newer plume can read stays, and so do all segments of the ledger as long as there is such a manifest.

import type { ObjectStore, StoredObject } from "../store/object-store.ts";
import { listFolders, type StepFolder } from "./list.ts";
import { LEDGER, MANIFEST, type Manifest, prefixOf, stepsOfSegment } from "./manifest.ts";

export async function removeCheckpoint(store: ObjectStore, step: number): Promise<void> {
  const prefix = prefixOf(step);
  await store.delete(prefix + MANIFEST);
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  for (const key of keys) await store.delete(key);
}

/**
 * Removes all but the newest `keep`, step 0 and the steps that `every` divides, what writers that died left below the newest, and
 * the ledger's segments that only the removed ones named. @returns the steps removed.
 */
export async function applyRetention(store: ObjectStore, keep: number, every?: number): Promise<number[]> {
  const folders = await listFolders(store);
  const whole = folders.filter(isWhole).map(({ step }) => step);
  const newest = whole.at(-1);
  if (newest === undefined) return [];
  // Step 0 may be an imported start, which no seed gives again.
  const kept = new Set([
    0,
    ...whole.slice(-keep),
    ...whole.filter((step) => every !== undefined && step % every === 0),
  ]);
  const old = folders.filter(({ step, newer }) => step < newest && !kept.has(step) && !newer);
  for (const { step } of old) await removeCheckpoint(store, step);
  const left = folders.filter((folder) => !old.includes(folder));
  for (const { key } of await unnamedSegments(store, left, newest)) await store.delete(key);
  return old.map(({ step }) => step);
}

export interface OrphanPolicy {
  /** By the store's clock. */
  readonly nowMs: number;
  /** What was put since may be somebody's who is at work. */
  readonly olderThanMs: number;
}

/** Removes objects that no manifest names, below or of the newest checkpoint and older than asked for. @returns them. */
export async function collectOrphans(
  store: ObjectStore,
  { nowMs, olderThanMs }: OrphanPolicy,
): Promise<StoredObject[]> {
  const folders = await listFolders(store);
  const newest = folders.findLast(isWhole)?.step;
  if (newest === undefined) return [];
  const unnamed = folders.filter(({ step }) => step <= newest).flatMap(unnamedParts);
  unnamed.push(...(await unnamedSegments(store, folders, newest)));
  const orphans = unnamed.filter(({ modifiedMs }) => nowMs - modifiedMs >= olderThanMs);
  for (const { key } of orphans) await store.delete(key);
  return orphans;
}

const isWhole = (folder: StepFolder): folder is StepFolder & { readonly manifest: Manifest } =>
  folder.manifest !== null && typeof folder.manifest !== "string";

/** A manifest that cannot be read may name anything: its folder is left to `plume checkpoints rm`. */
function unnamedParts({ manifest, prefix, objects }: StepFolder): readonly StoredObject[] {
  if (manifest === null) return objects;
  if (typeof manifest === "string") return [];
  const named = new Set([MANIFEST, ...manifest.parts.map(({ key }) => key)]);
  return objects.filter(({ key }) => !named.has(key.slice(prefix.length)));
}

async function unnamedSegments(
  store: ObjectStore,
  folders: readonly StepFolder[],
  newest: number,
): Promise<StoredObject[]> {
  if (folders.some(({ newer }) => newer)) return [];
  const named = new Set(folders.filter(isWhole).flatMap(({ manifest }) => manifest.ledger.map(({ key }) => key)));
  const unnamed: StoredObject[] = [];
  for await (const object of store.list(LEDGER)) {
    const steps = stepsOfSegment(object.key);
    if (steps && steps.to <= newest && !named.has(object.key)) unnamed.push(object);
  }
  return unnamed;
}
