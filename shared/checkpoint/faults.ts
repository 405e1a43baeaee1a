// What is wrong with objects that a manifest names: every byte is read.

import { inParallel } from "../parallel.ts";
import type { ObjectStore } from "../store/object-store.ts";
import { isDamage, type NamedObject, PARALLEL } from "./objects.ts";
import { checkPart } from "./parts.ts";

export interface Fault {
  /** The object's, in the store. */
  readonly key: string;
  readonly reason: string;
}

export interface CheckOptions {
  readonly signal?: AbortSignal | undefined;
  /** After each object, with its size. */
  readonly onRead?: ((bytes: number) => void) | undefined;
}

/** A shard's part is read at once. */
const MEMORY_BYTES = 9 << 20;

/** @returns all that are missing or damaged, in their order. */
export async function faultsOf(
  store: ObjectStore,
  objects: readonly NamedObject[],
  { signal, onRead = () => {} }: CheckOptions = {},
): Promise<Fault[]> {
  const reasons = new Map<string, string>();
  const idle: Uint8Array[] = [];
  const most = Math.min(MEMORY_BYTES, 1 + Math.max(1, ...objects.map(({ size }) => size)));
  await inParallel(objects, PARALLEL, async (object) => {
    const memory = idle.pop() ?? Buffer.allocUnsafeSlow(most);
    try {
      signal?.throwIfAborted();
      await checkPart(store, object.key, object, memory);
    } catch (error) {
      if (!isDamage(error)) throw error;
      reasons.set(object.key, error.message);
    } finally {
      idle.push(memory);
    }
    onRead(object.size);
  });
  return objects.flatMap(({ key }) => (reasons.has(key) ? [{ key, reason: reasons.get(key)! }] : []));
}
