// Labels of a set that lies in several objects.

import { PlumeError } from "../errors.ts";

/**
 * int32 [n] of all parts, in their order. @param nameOf sample k of a part, for messages.
 * @throws PlumeError INVALID_ARGUMENT when some samples have a label and others have none.
 */
export function concatLabels(
  set: string,
  parts: readonly { readonly labels: Int32Array }[],
  nameOf: (part: number, k: number) => string,
): Int32Array {
  const all = new Int32Array(parts.reduce((n, { labels }) => n + labels.length, 0));
  let at = 0;
  for (const [part, { labels }] of parts.entries()) {
    all.set(labels, at);
    at += labels.length;
    const odd = labels.findIndex((label) => label < 0 !== all[0]! < 0);
    if (odd >= 0)
      throw new PlumeError(
        "INVALID_ARGUMENT",
        `${set}: ${nameOf(part, odd)} has ${all[0]! < 0 ? "a label, the samples before it have none" : "no label, the samples before it have one"}`,
        { remedy: "give every sample a label, or none" },
      );
  }
  return all;
}

/** Class names of labels that are numbers alone; none without labels. */
export function numberedClasses(labels: Int32Array): string[] {
  const most = labels.reduce((a, b) => Math.max(a, b), -1);
  return Array.from({ length: most + 1 }, (_, k) => String(k));
}
