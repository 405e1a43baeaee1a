// What a save does to its store, as phases in their order: at each of them a coordinator may die.

import { LEDGER, MANIFEST, plainName, STATE } from "../../shared/checkpoint/manifest.ts";
import type { ObjectStore } from "../../shared/store/object-store.ts";

export const SAVE_PHASES = [
  "a part is to be put",
  "a part is put",
  "state.json is put",
  "job.yaml is put",
  "a piece of the ledger is put",
  "the manifest is to be put",
  "the manifest is put",
  "an old manifest is removed",
  "an old part is removed",
  "an old piece of the ledger is removed",
] as const;

export type SavePhase = (typeof SAVE_PHASES)[number];

/** A store that tells of every phase as it passes. */
export function tellingStore(store: ObjectStore, passed: (phase: SavePhase) => void): ObjectStore {
  return {
    ...store,
    async put(key, bytes, signal) {
      const phase = putPhase(key);
      if (phase === "a part is put") passed("a part is to be put");
      await store.put(key, bytes, signal);
      passed(phase);
    },
    async putIfAbsent(key, bytes, signal) {
      passed("the manifest is to be put");
      await store.putIfAbsent(key, bytes, signal);
      passed("the manifest is put");
    },
    async delete(key, signal) {
      await store.delete(key, signal);
      if (key.startsWith(LEDGER)) passed("an old piece of the ledger is removed");
      else passed(key.endsWith(MANIFEST) ? "an old manifest is removed" : "an old part is removed");
    },
  };
}

function putPhase(key: string): SavePhase {
  if (key.startsWith(LEDGER)) return "a piece of the ledger is put";
  const name = plainName(key).split("/").at(-1)!;
  if (name === STATE) return "state.json is put";
  return name.endsWith(".safetensors") ? "a part is put" : "job.yaml is put";
}
