// What a store's list alone says of its checkpoints: which are there, which are not whole, and what belongs to none.

import type { ObjectStore, StoredObject } from "../store/object-store.ts";
import type { Fault } from "./faults.ts";
import { checkpointsIn, foldersOf, type ListedCheckpoint } from "./list.ts";
import {
  type CheckpointState,
  LEDGER,
  MANIFEST,
  partNamed,
  prefixOf,
  STATE,
  stateSchema,
  stepOfKey,
} from "./manifest.ts";
import { isDamage, type NamedObject, objectsOf } from "./objects.ts";
import { readPart } from "./parts.ts";

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
const PREFIXES = ["step-", LEDGER];

/** What a store holds, without reading a part. */
export async function surveyStore(store: ObjectStore, signal?: AbortSignal): Promise<Survey> {
  const broken: { step: number; reason: string }[] = [];
  const objects = new Map<string, StoredObject>();
  for (const prefix of PREFIXES) for await (const object of store.list(prefix, signal)) objects.set(object.key, object);
  const folders = await foldersOf(store, objects.values());
  const listed = checkpointsIn(store, folders, (step, reason) => broken.push({ step, reason }));

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
export async function readState(store: ObjectStore, checkpoint: ListedCheckpoint): Promise<CheckpointState | null> {
  const part = partNamed(checkpoint.manifest, STATE);
  if (!part) return null;
  try {
    const bytes = await readPart(store, checkpoint.prefix + part.key, part);
    const parsed = stateSchema.safeParse(JSON.parse(Buffer.from(bytes).toString("utf8")));
    return parsed.success ? parsed.data : null;
  } catch (error) {
    if (!isDamage(error)) throw error;
    return null;
  }
}
