import { createHash } from "node:crypto";
import type { ImageSet } from "./image-set.ts";
import { checkId } from "./memory-set.ts";

/** The first `size` samples of a set. */
export function limitSet<S extends ImageSet>(set: S, size: number): S {
  return {
    ...set,
    size,
    digest: createHash("sha256").update(`${set.digest} first ${size}`).digest("hex"),
    async read(ids, signal) {
      for (const id of ids) checkId(set.name, id, size);
      return set.read(ids, signal);
    },
  } satisfies S;
}
