// What may be a key, the same in every store: segments of plain characters, joined by slashes.

import { PlumeError } from "../errors.ts";

/** The start of names that a store keeps for itself. */
export const RESERVED = ".partial-";

/** Longest name of a file on common file systems, in bytes. */
const LONGEST_SEGMENT = 200;

/** @returns the key. @throws PlumeError INVALID_ARGUMENT for one that a store could not hold under that very name. */
export function checkKey(key: string): string {
  for (const segment of key.split("/")) {
    const fault =
      segment === "" || segment === "." || segment === ".."
        ? `"${segment}" is no segment of a key`
        : !/^[A-Za-z0-9._=+@ -]+$/.test(segment)
          ? `${JSON.stringify(segment)} holds a character that keys do not`
          : segment.startsWith(RESERVED)
            ? `names that start with ${RESERVED} are the store's own`
            : segment.length > LONGEST_SEGMENT
              ? `a segment has ${segment.length} characters, ${LONGEST_SEGMENT} is the most`
              : null;
    if (fault)
      throw new PlumeError("INVALID_ARGUMENT", `key ${JSON.stringify(key)} leads to no object of a store: ${fault}`, {
        remedy: "use letters, digits, spaces and ._=+@- in segments that slashes join",
      });
  }
  return key;
}
