// The contract of an object store: whole objects under keys, written whole or not at all.

export interface ObjectStore {
  /** The URL as the user gave it, for messages. */
  readonly url: string;
  put(key: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void>;
  /** @throws PlumeError ALREADY_EXISTS when the key has an object; of several racers exactly one wins. */
  putIfAbsent(key: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void>;
  /** @throws PlumeError NOT_FOUND. */
  get(key: string, signal?: AbortSignal): Promise<Uint8Array>;
  /** Keys that begin with the prefix, in code-unit order. */
  list(prefix: string, signal?: AbortSignal): AsyncIterable<string>;
  /** A key without an object is no error. */
  delete(key: string, signal?: AbortSignal): Promise<void>;
}
