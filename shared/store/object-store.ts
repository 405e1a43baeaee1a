// The contract of an object store: whole objects under keys, written whole or not at all.
//
// I1. A reader sees an object as some put left it, never a part of it, whenever the writer dies.
// I2. Of several putIfAbsent on one key exactly one succeeds. Checkpoints rest on this.
// I3. A key is what key.ts allows: "a/b.c", never a way out of the store.

/** Bytes start to end, end excluded; what lies past the object's end is left out. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** What a store knows of an object without reading it. */
export interface ObjectInfo {
  readonly size: number;
  /** When it was put, by the store's clock. */
  readonly modifiedMs: number;
}

export interface StoredObject extends ObjectInfo {
  readonly key: string;
}

interface GetOptions {
  readonly range?: ByteRange;
  /** Memory for the bytes, which a store may use when they fit: to fill fresh memory takes longer than to read a file. */
  readonly into?: Uint8Array;
  readonly signal?: AbortSignal | undefined;
}

/** Every method throws PlumeError INVALID_ARGUMENT for what is no key, and the signal's reason once it is aborted. */
export interface ObjectStore {
  /** The URL as the user gave it, for messages. */
  readonly url: string;
  /** Replaces an object that is there. @throws PlumeError FAILED_PRECONDITION, RESOURCE_EXHAUSTED when it cannot write. */
  put(key: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void>;
  /** @throws PlumeError ALREADY_EXISTS when the key has an object; of several racers exactly one wins. */
  putIfAbsent(key: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void>;
  /** @throws PlumeError NOT_FOUND. */
  get(key: string, options?: GetOptions): Promise<Uint8Array>;
  /** Null when there is no such object. */
  head(key: string, signal?: AbortSignal): Promise<ObjectInfo | null>;
  /** Objects whose keys begin with the prefix (any text), in code-unit order of the keys. */
  list(prefix: string, signal?: AbortSignal): AsyncIterable<StoredObject>;
  /** A key without an object is no error. */
  delete(key: string, signal?: AbortSignal): Promise<void>;
}

/** Remedies of NOT_FOUND and ALREADY_EXISTS, the same for every store. */
export const ABSENT = "plume checkpoints ls STORE says what is there";
export const PRESENT = "give every run a store of its own, or remove what is there";
