// The suffix that kustomize gives a ConfigMap's name: of its content, so that another content is another object.

import { createHash } from "node:crypto";

/** Letters in which no word is spelled by chance. */
const INSTEAD: Readonly<Record<string, string>> = { "0": "g", "1": "h", "3": "k", a: "m", e: "t" };
const LENGTH = 10;

/** As kustomize's api/hasher has it, which looks for the map's name under a key that no map has: the name is always empty. */
export function configMapHash(data: Readonly<Record<string, string>>): string {
  const sorted = Object.fromEntries(Object.entries(data).sort(([a], [b]) => (a < b ? -1 : 1)));
  const text = goJson({ data: sorted, kind: "ConfigMap", name: "" });
  const digest = createHash("sha256").update(text).digest("hex");
  return digest.slice(0, LENGTH).replace(/[013ae]/g, (letter) => INSTEAD[letter]!);
}

/** As Go's encoding/json writes it: safe inside HTML. */
const goJson = (value: unknown): string =>
  JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
