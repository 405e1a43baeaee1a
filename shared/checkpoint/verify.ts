// Whether checkpoints are whole: by what their objects say (every byte is read), or by the store's list alone.

import type { ObjectStore, StoredObject } from "../store/object-store.ts";
import { type CheckpointState, MANIFEST, prefixOf, STATE, stateSchema, stepOfKey } from "./manifest.ts";
import { isDamage, type NamedObject, objectsOf, PARALLEL } from "./objects.ts";
import { inParallel } from "./parallel.ts";
import { checkPart, readPart } from "./parts.ts";
import { type ListedCheckpoint, listCheckpoints } from "./read.ts";

export interface Fault {
  /** The object's, in the store. */
  readonly key: string;
  readonly reason: string;
}

export interface VerifyOptions {
  readonly signal?: AbortSignal | undefined;
  /** After each object, with its size. */
  readonly onRead?: ((bytes: number) => void) | undefined;
}

/** Reads every byte of the objects. @returns all that are missing or damaged, in their order. */
export async function faultsOf(
  store: ObjectStore,
  objects: readonly NamedObject[],
  { signal, onRead = () => {} }: VerifyOptions = {},
): Promise<Fault[]> {
  const reasons = new Map<string, string>();
  await inParallel(objects, PARALLEL, async (object) => {
    try {
      signal?.throwIfAborted();
      await checkPart(store, object.key, object);
    } catch (error) {
      if (!isDamage(error)) throw error;
      reasons.set(object.key, error.message);
    }
    onRead(object.size);
  });
  return objects.flatMap(({ key }) => (reasons.has(key) ? [{ key, reason: reasons.get(key)! }] : []));
}

interface SurveyedCheckpoint extends ListedCheckpoint {
  /** When its manifest was put, by the store's clock. */
  readonly modifiedMs: number;
  /** What the list alone shows to be missing or of another size. */
  readonly faults: readonly Fault[];
}

export interface Survey {
  /** Oldest first. */
  readonly checkpoints: readonly SurveyedCheckpoint[];
  /** Manifests that cannot be read. */
  readonly broken: readonly { readonly step: number; readonly reason: string }[];
  /** Steps that have objects and no manifest: not finished, or under way. */
  readonly unfinished: readonly number[];
  /** Objects that no manifest names. */
  readonly orphans: readonly StoredObject[];
}

/** Where checkpoints keep their objects. */
const PREFIXES = ["step-", "ledger/"];

/** What a store holds, without reading a part. */
export async function surveyStore(store: ObjectStore, signal?: AbortSignal): Promise<Survey> {
  const broken: { step: number; reason: string }[] = [];
  const listed = await listCheckpoints(store, (step, reason) => broken.push({ step, reason }));
  const objects = new Map<string, StoredObject>();
  for (const prefix of PREFIXES) for await (const object of store.list(prefix, signal)) objects.set(object.key, object);

  const manifests = [...listed, ...broken].map(({ step }) => step);
  const named = new Set(manifests.map((step) => prefixOf(step) + MANIFEST));
  for (const { manifest } of listed) for (const { key } of objectsOf(manifest)) named.add(key);
  // A manifest that cannot be read may name anything beside it.
  const unknown = new Set(broken.map(({ step }) => step));
  const orphans = [...objects.values()].filter(({ key }) => !named.has(key) && !unknown.has(stepOfKey(key) ?? -1));
  const unfinished = new Set(orphans.flatMap(({ key }) => stepOfKey(key) ?? []));
  for (const step of manifests) unfinished.delete(step);
  return {
    checkpoints: listed.map((each) => ({
      ...each,
      modifiedMs: objects.get(each.prefix + MANIFEST)?.modifiedMs ?? 0,
      faults: listedFaults(store, objectsOf(each.manifest), objects),
    })),
    broken,
    unfinished: [...unfinished].sort((a, b) => a - b),
    orphans,
  };
}

function listedFaults(
  store: ObjectStore,
  named: readonly NamedObject[],
  objects: ReadonlyMap<string, StoredObject>,
): Fault[] {
  return named.flatMap(({ key, size }) => {
    const there = objects.get(key);
    if (there?.size === size) return [];
    const what = there ? `has ${there.size} bytes, its manifest says ${size}` : "is missing";
    return [{ key, reason: `${store.url}/${key} ${what}` }];
  });
}

/** Its state.json alone; null when that is missing or damaged. */
export async function readState(store: ObjectStore, { manifest }: ListedCheckpoint): Promise<CheckpointState | null> {
  const name = STATE.slice(0, STATE.indexOf("."));
  const object = objectsOf(manifest).find((_, i) => manifest.parts[i]?.key.startsWith(name));
  if (!object) return null;
  try {
    const parsed = stateSchema.safeParse(
      JSON.parse(Buffer.from(await readPart(store, object.key, object)).toString("utf8")),
    );
    return parsed.success ? parsed.data : null;
  } catch (error) {
    if (!isDamage(error)) throw error;
    return null;
  }
}
