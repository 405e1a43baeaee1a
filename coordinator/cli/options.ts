// Parsing of option values, the same words everywhere.

import { PlumeError } from "../../shared/errors.ts";

/** @throws PlumeError INVALID_ARGUMENT unless the text is a whole number of at least `min`. */
export function wholeNumber(flag: string, text: string, min = 0): number {
  const n = Number(text);
  if (text.trim() === "" || !Number.isSafeInteger(n) || n < min)
    throw new PlumeError("INVALID_ARGUMENT", `${flag} ${text} is no whole number of at least ${min}`, {
      remedy: `for example ${flag} ${Math.max(min, 2)}`,
    });
  return n;
}

export function decimal(flag: string, text: string, min: number): number {
  const x = Number(text);
  if (text.trim() === "" || !Number.isFinite(x) || x < min)
    throw new PlumeError("INVALID_ARGUMENT", `${flag} ${text} is no number of at least ${min}`, {
      remedy: `for example ${flag} ${min + 1}`,
    });
  return x;
}

export function oneOf<T extends string>(flag: string, text: string, values: readonly T[]): T {
  if (!values.includes(text as T))
    throw new PlumeError("INVALID_ARGUMENT", `${flag} ${text} is unknown`, {
      remedy: `use one of ${values.join(", ")}`,
    });
  return text as T;
}

/** A class by name or number. @throws PlumeError NOT_FOUND naming the classes. */
export function classOf(text: string, classes: readonly string[], count: number): number {
  const number = Number(text);
  if (text.trim() !== "" && Number.isInteger(number) && number >= 0 && number < count) return number;
  const index = classes.findIndex((name) => name.toLowerCase() === text.toLowerCase());
  if (index >= 0 && index < count) return index;
  const known = classes.length > 0 ? classes.map((name, i) => `${i} ${name}`).join(", ") : `0 to ${count - 1}`;
  throw new PlumeError("NOT_FOUND", `--class ${text} is no class of this model`, {
    remedy: count > 0 ? `its classes are ${known}` : "leave it out: it was trained without classes",
  });
}

/** Of a pipeline's stages. */
export const SET_OPTION = [
  "--set <path=value>",
  "override a field of every stage's job, or of one: STAGE.path=value; may be repeated",
] as const;

/** Of an option that may be repeated. */
export const collect = (value: string, all: string[] = []): string[] => [...all, value];
