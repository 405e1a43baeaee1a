// What a store holds of checkpoints, from its keys and manifests alone.

import { PlumeError } from "../errors.ts";
import { inParallel } from "../parallel.ts";
import type { ObjectStore, StoredObject } from "../store/object-store.ts";
import { isNewerFormat, MANIFEST, type Manifest, parseManifest, prefixOf, stepOfKey } from "./manifest.ts";

export interface ListedCheckpoint {
  readonly step: number;
  readonly prefix: string;
  readonly manifest: Manifest;
  readonly bytes: number;
}

/** A step's folder, whatever is in it. */
export interface StepFolder {
  readonly step: number;
  readonly prefix: string;
  readonly objects: readonly StoredObject[];
  /** Why its manifest is none; null when there is no manifest at all. */
  readonly manifest: Manifest | string | null;
  /** Only a newer plume can read the manifest. */
  readonly newer: boolean;
}

/** Manifests read at once. */
const PARALLEL = 16;

/** Every folder of a step, oldest first. */
export async function listFolders(store: ObjectStore): Promise<StepFolder[]> {
  const objects: StoredObject[] = [];
  for await (const object of store.list("step-")) objects.push(object);
  return foldersOf(store, objects);
}

/** The same of objects that are listed already. */
export async function foldersOf(store: ObjectStore, listed: Iterable<StoredObject>): Promise<StepFolder[]> {
  const found = new Map<number, StoredObject[]>();
  for (const object of listed) {
    const step = stepOfKey(object.key);
    if (step === null || !object.key.startsWith(prefixOf(step))) continue;
    const objects = found.get(step);
    if (objects) objects.push(object);
    else found.set(step, [object]);
  }
  const folders = await inParallel(found, PARALLEL, async ([step, objects]) => {
    const prefix = prefixOf(step);
    const named = objects.some(({ key }) => key === prefix + MANIFEST);
    const bytes = named ? await getIfThere(store, prefix + MANIFEST) : null;
    const manifest = bytes && parseManifest(step, bytes);
    return { step, prefix, objects, manifest, newer: bytes !== null && isNewerFormat(bytes) };
  });
  return folders.sort((a, b) => a.step - b.step);
}

/** Every checkpoint that exists, oldest first. `onInvalid` hears of manifests that are there and cannot be read. */
export async function listCheckpoints(
  store: ObjectStore,
  onInvalid: (step: number, reason: string) => void = () => {},
): Promise<ListedCheckpoint[]> {
  return checkpointsIn(store, await listFolders(store), onInvalid);
}

export function checkpointsIn(
  { url }: ObjectStore,
  folders: readonly StepFolder[],
  onInvalid: (step: number, reason: string) => void,
): ListedCheckpoint[] {
  const whole: ListedCheckpoint[] = [];
  for (const { step, prefix, manifest } of folders) {
    if (typeof manifest === "string") onInvalid(step, `${url}/${prefix}${MANIFEST} ${manifest}`);
    else if (manifest) whole.push({ step, prefix, manifest, bytes: sizeOf(manifest) });
  }
  return whole;
}

const sizeOf = ({ parts }: Manifest): number => parts.reduce((sum, part) => sum + part.size, 0);

async function getIfThere(store: ObjectStore, key: string): Promise<Uint8Array | null> {
  try {
    return await store.get(key);
  } catch (error) {
    if (error instanceof PlumeError && error.code === "NOT_FOUND") return null; // removed since it was listed
    throw error;
  }
}
