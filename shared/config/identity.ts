// What decides a run's bits: a run may go on with more steps, other workers or other samples, but not with another seed,
// model, data, process or optimizer.

import type { JobSpec } from "./schema.ts";

/** Fields that may change between a checkpoint and its resumption without changing the meaning of what was trained. */
const FREE = new Set([
  "workers",
  "coordinator",
  "audit",
  "checkpoint",
  "store",
  "sampling",
  "training.steps",
  "training.nonFinite",
]);

/** The dotted path of the first field that differs and decides bits, with both values; null when there is none. */
export function firstDifference(a: JobSpec, b: JobSpec): { path: string; was: unknown; is: unknown } | null {
  const walk = (was: unknown, is: unknown, path: string): { path: string; was: unknown; is: unknown } | null => {
    if (FREE.has(path)) return null;
    if (isGroup(was) && isGroup(is)) {
      for (const key of new Set([...Object.keys(was), ...Object.keys(is)])) {
        const found = walk(was[key], is[key], path ? `${path}.${key}` : key);
        if (found) return found;
      }
      return null;
    }
    return JSON.stringify(was) === JSON.stringify(is) ? null : { path, was, is };
  };
  return walk(a, b, "");
}

const isGroup = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
