// The objects that a manifest names, wherever they lie in its store: what is verified, and what is copied.

import { PlumeError } from "../errors.ts";
import { type Manifest, prefixOf } from "./manifest.ts";

export interface NamedObject {
  /** In the store. */
  readonly key: string;
  readonly size: number;
  readonly sha256: string;
}

/** Objects worked on at once. */
export const PARALLEL = 4;

/** Its parts, in a folder of their own. */
export const partObjects = ({ step, parts }: Pick<Manifest, "step" | "parts">): NamedObject[] =>
  parts.map(({ key, size, sha256 }) => ({ key: prefixOf(step) + key, size, sha256 }));

/** Its parts, and the ledger up to its step. */
export const objectsOf = (manifest: Manifest): NamedObject[] => [
  ...partObjects(manifest),
  ...manifest.ledger.map(({ key, size, sha256 }) => ({ key, size, sha256 })),
];

/** Not there, or not what it was: something that a reader passes over. */
export const isDamage = (error: unknown): error is PlumeError =>
  error instanceof PlumeError && (error.code === "DATA_LOSS" || error.code === "NOT_FOUND");
