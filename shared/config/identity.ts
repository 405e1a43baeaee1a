// What decides a run's bits: a run may go on with more steps, other workers or other samples, but not with another seed,
// model, data, process or optimizer; with some of these once the user says so.

import { PlumeError } from "../errors.ts";
import { fieldRows } from "./fields.ts";
import { suggestion } from "./messages.ts";
import type { JobSpec } from "./schema.ts";

/** Fields that may change between a checkpoint and its resumption without changing the meaning of what was trained. */
const FREE = new Set([
  "suspend",
  "kubernetes",
  "workers",
  "coordinator",
  "audit",
  "data.onError",
  "data.cacheMiB",
  "data.cacheDir",
  "checkpoint",
  "store",
  "sampling",
  "monitoring",
  "nats",
  "training.steps",
  "training.nonFinite",
]);

/** Where another model lies, which is known by the sha256 of its weights; and those that nothing but samples is made with. */
const FREE_OF_MODELS = /^models\.(\w+\.(from|weights)$|(classifier|prior)\b)/;

/**
 * Fields that change what is trained from here on, and neither what the vectors mean nor which samples a step uses: the
 * checkpoint fits, and the ledger stays true.
 */
const ALLOWABLE = [
  "data.flip",
  "model.dropout",
  "diffusion",
  "adversarial.penalty",
  "adversarial.penaltyWeight",
  "adversarial.labelSmoothing",
  "adversarial.discriminator",
  "autoencoder.beta",
  "autoencoder.betaSteps",
  "autoencoder.temperature",
  "training.optimizer.lr",
  "training.optimizer.beta1",
  "training.optimizer.beta2",
  "training.optimizer.eps",
  "training.optimizer.weightDecay",
  "training.warmup",
  "training.schedule",
  "training.clip",
  "training.ema",
  "training.emaHalfLife",
  "training.wireDtype",
];

export interface Difference {
  /** Dotted, below spec. */
  readonly path: string;
  readonly was: unknown;
  readonly is: unknown;
}

/** Every field that differs and decides bits, in the order of the schema. */
export function differences(a: JobSpec, b: JobSpec): Difference[] {
  const found: Difference[] = [];
  const walk = (was: unknown, is: unknown, path: string): void => {
    if (isFree(path)) return;
    if (isGroup(was) && isGroup(is)) {
      for (const key of new Set([...Object.keys(was), ...Object.keys(is)]))
        walk(was[key], is[key], path ? `${path}.${key}` : key);
      return;
    }
    if (JSON.stringify(was) !== JSON.stringify(is)) found.push({ path, was, is });
  };
  walk(a, b, "");
  return found;
}

/** The first of them, or null. */
export const firstDifference = (a: JobSpec, b: JobSpec): Difference | null => differences(a, b)[0] ?? null;

/** One line a field. */
export const describeDifferences = (all: readonly Difference[], between = "\n  "): string =>
  all.map(({ path, was, is }) => `${path} was ${shown(was)}, is ${shown(is)}`).join(between);

const shown = (value: unknown): string => (value === undefined ? "not set" : JSON.stringify(value));

/** Whether a run must keep this field to keep its bits. */
export const decidesBits = (path: string): boolean => !isFree(path);

/** A network that learns its variance is a larger one. */
const CHANGES_VECTORS = "diffusion.variance";

export const isAllowable = (path: string): boolean =>
  path !== CHANGES_VECTORS && ALLOWABLE.some((each) => path === each || path.startsWith(`${each}.`));

/** @throws PlumeError INVALID_ARGUMENT for a field that no job has, or that a run cannot go on with when it changes. */
export function checkAllowed(fields: readonly string[]): void {
  const known = fieldRows().map(({ path }) => path);
  for (const given of fields) {
    const field = plainField(given);
    if (!known.includes(field))
      throw new PlumeError("INVALID_ARGUMENT", `--allow ${given}: no job has such a field`, {
        remedy: suggestion(field, known),
      });
    if (isAllowable(field) || isFree(field)) continue;
    throw new PlumeError(
      "INVALID_ARGUMENT",
      `--allow ${given}: a run cannot go on with another ${field}: its vectors or its samples would be others`,
      { remedy: `start over with --resume never; what may be allowed: ${allowable(known).join(", ")}` },
    );
  }
}

const plainField = (field: string): string => field.replace(/^spec\./, "");
const isFree = (path: string): boolean =>
  FREE_OF_MODELS.test(path) || [...FREE].some((each) => path === each || path.startsWith(`${each}.`));
const allowable = (known: readonly string[]): string[] => known.filter(isAllowable);

/** Splits what differs into what the user has allowed, and what is left to refuse. */
export function decideDifferences(
  all: readonly Difference[],
  allow: readonly string[],
): { readonly allowed: readonly Difference[]; readonly refused: readonly Difference[] } {
  const fields = new Set(allow.map(plainField));
  const isAllowed = ({ path }: Difference) => fields.has(path) && isAllowable(path);
  return { allowed: all.filter(isAllowed), refused: all.filter((difference) => !isAllowed(difference)) };
}

const isGroup = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
