// From a URL to the objects it names: a folder, one object, or several by braces, as WebDataset's users write them
// (shard-{000000..000009}.tar).

import { PlumeError } from "../errors.ts";
import type { StoreAccess } from "../store/access.ts";
import type { StoredObject } from "../store/object-store.ts";
import { type ObjectReader, openReader } from "./reader.ts";

export interface Located {
  readonly reader: ObjectReader;
  /** Sorted by key, or in the order of the braces. */
  readonly objects: readonly StoredObject[];
}

interface Wanted {
  readonly url: string;
  readonly access: StoreAccess;
  /** Of the names that are taken from a folder. */
  readonly extension: RegExp;
  /** "a WebDataset shard (.tar)", for messages. */
  readonly what: string;
  readonly signal: AbortSignal | undefined;
}

/** @throws PlumeError NOT_FOUND naming what is not there, INVALID_ARGUMENT for braces that say nothing. */
export async function locate({ url, access, extension, what, signal }: Wanted): Promise<Located> {
  const { folder, names } = splitUrl(url, extension);
  const reader = await openReader(folder, access);
  const listed: StoredObject[] = [];
  for await (const object of reader.list(commonPrefix(names ?? []), signal)) listed.push(object);
  if (!names) {
    const objects = listed.filter(({ key }) => extension.test(key));
    if (objects.length > 0) return { reader, objects };
    const others = listed.length > 0 ? `, only ${listed.length} others (${listed[0]!.key})` : "";
    throw new PlumeError("NOT_FOUND", `${url} holds no ${what}${others}`, {
      remedy: "check the folder or prefix, and for s3:// the bucket and spec.store.endpoint",
    });
  }
  const byKey = new Map(listed.map((object) => [object.key, object]));
  const missing = names.filter((name) => !byKey.has(name));
  if (missing.length > 0)
    throw new PlumeError(
      "NOT_FOUND",
      `${url}: ${missing[0]} is not there${missing.length > 1 ? ` (nor are ${missing.length - 1} others of ${names.length})` : ""}`,
      { remedy: "name what exists, or put the objects there" },
    );
  return { reader, objects: names.map((name) => byKey.get(name)!) };
}

/** The folder, and the names in it when the URL does not mean all of it. */
function splitUrl(url: string, extension: RegExp): { folder: string; names: string[] | null } {
  const brace = url.indexOf("{");
  if (brace < 0 && !extension.test(url)) return { folder: url, names: null };
  const slash = url.lastIndexOf("/", brace < 0 ? url.length : brace);
  const folder = slash < 0 ? "." : url.slice(0, slash + 1);
  return { folder, names: expandBraces(url.slice(slash + 1)) };
}

const MOST_NAMES = 1_000_000;

/** {a,b} and {00..09}; several in a name multiply. @throws PlumeError INVALID_ARGUMENT. */
function expandBraces(text: string): string[] {
  const names = text.split(/(\{[^{}]*\})/).reduce<string[]>(
    (heads, part) => {
      const choices = part.startsWith("{") ? choicesOf(part, text) : [part];
      if (heads.length * choices.length > MOST_NAMES) throw badBraces(text, `more than ${MOST_NAMES} names`);
      return heads.flatMap((head) => choices.map((choice) => head + choice));
    },
    [""],
  );
  if (/[{}]/.test(names[0]!)) throw badBraces(text, "braces that do not close");
  return names;
}

function choicesOf(part: string, text: string): string[] {
  const inside = part.slice(1, -1);
  const range = /^(\d+)\.\.(\d+)$/.exec(inside);
  if (!range) {
    if (!inside.includes(",")) throw badBraces(text, `${part} is neither a list nor a range`);
    return inside.split(",");
  }
  const [, from = "", to = ""] = range;
  const count = Number(to) - Number(from) + 1;
  if (count < 1 || count > MOST_NAMES) throw badBraces(text, `${part} is no range`);
  const width = from.startsWith("0") ? from.length : 0;
  return Array.from({ length: count }, (_, k) => String(Number(from) + k).padStart(width, "0"));
}

const badBraces = (text: string, why: string) =>
  new PlumeError("INVALID_ARGUMENT", `data.source names ${text}: ${why}`, {
    remedy: "write a range as shard-{000000..000009}.tar, a list as {train,extra}.tar",
  });

function commonPrefix(names: readonly string[]): string {
  const [first = "", last = ""] = [names.toSorted()[0], names.toSorted().at(-1)];
  let length = 0;
  while (length < first.length && first[length] === last[length]) length++;
  return first.slice(0, length);
}
