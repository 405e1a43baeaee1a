// What may be a key, the same in every store: segments of plain characters, joined by slashes.

import { PlumeError } from "../errors.ts";

/** The start of names that a store keeps for itself. */
export const RESERVED = ".partial-";

/** Longest name of a file on common file systems, in bytes. */
const LONGEST_SEGMENT = 200;

/** @returns what makes it no key, or null. */
function faultOf(key: string): string | null {
  for (const segment of key.split("/")) {
    if (segment === "" || segment === "." || segment === "..") return `"${segment}" is no segment of a key`;
    if (!/^[A-Za-z0-9._=+@ -]+$/.test(segment)) return `${JSON.stringify(segment)} holds a character that keys do not`;
    if (segment.startsWith(RESERVED)) return `names that start with ${RESERVED} are the store's own`;
    if (segment.length > LONGEST_SEGMENT)
      return `a segment has ${segment.length} characters, ${LONGEST_SEGMENT} is the most`;
  }
  return null;
}

const isKey = (key: string): boolean => faultOf(key) === null;

/** Which names a store deals with. */
export interface Keys {
  /** @returns the key. @throws PlumeError INVALID_ARGUMENT. */
  check(key: string): string;
  /** The others are left out of listings. */
  is(key: string): boolean;
}

/** @returns the key. @throws PlumeError INVALID_ARGUMENT for one that a store could not hold under that very name. */
export function checkKey(key: string): string {
  const fault = faultOf(key);
  if (fault === null) return key;
  throw new PlumeError("INVALID_ARGUMENT", `key ${JSON.stringify(key)} leads to no object of a store: ${fault}`, {
    remedy: "use letters, digits, spaces and ._=+@- in segments that slashes join",
  });
}

/** What plume itself writes. */
export const OWN_KEYS: Keys = { check: checkKey, is: isKey };

/** What others wrote, as far as it is an object and no mark of a folder: to be read only. */
export const ANY_KEYS: Keys = { check: (key) => key, is: (key) => key !== "" && !key.endsWith("/") };
