// The objects that a manifest names, wherever they lie in its store: what is verified, and what is copied.

import { PlumeError } from "../errors.ts";
import type { ObjectStore } from "../store/object-store.ts";
import { type Manifest, prefixOf, sha256 } from "./manifest.ts";

export interface NamedObject {
  /** In the store. */
  readonly key: string;
  readonly size: number;
  readonly sha256: string;
}

/** Objects worked on at once; each is in memory as a whole. */
export const PARALLEL = 4;

export const objectsOf = ({ step, parts }: Manifest): NamedObject[] =>
  parts.map(({ key, size, sha256 }) => ({ key: prefixOf(step) + key, size, sha256 }));

/** @returns its bytes, verified. @throws PlumeError NOT_FOUND, DATA_LOSS naming it. */
export async function readObject(store: ObjectStore, object: NamedObject, signal?: AbortSignal): Promise<Uint8Array> {
  const bytes = await store.get(object.key, { signal });
  const where = `${store.url}/${object.key}`;
  if (bytes.byteLength !== object.size)
    throw new PlumeError("DATA_LOSS", `${where} has ${bytes.byteLength} bytes, its manifest says ${object.size}`);
  const digest = sha256(bytes);
  if (digest === object.sha256) return bytes;
  const short = (hex: string) => `${hex.slice(0, 12)}…`;
  throw new PlumeError("DATA_LOSS", `${where} has sha256 ${short(digest)}, its manifest says ${short(object.sha256)}`);
}

/** Not there, or not what it was: something that a reader passes over. */
export const isDamage = (error: unknown): error is PlumeError =>
  error instanceof PlumeError && (error.code === "DATA_LOSS" || error.code === "NOT_FOUND");
