// Sets that are drawn by a program: how many samples they have, and the numbers that sample k is made of.

import { PlumeError } from "../../errors.ts";
import { PURPOSE, uniforms } from "../../rng/stream.ts";
import type { Split } from "./source.ts";

const MOST = 1_000_000;

/** @param argument what follows the colon: nothing, or a count. @throws PlumeError INVALID_ARGUMENT for no count. */
export function countOf(name: string, argument: string, usual: number): number {
  const count = argument === "" ? usual : Number(argument);
  if (Number.isInteger(count) && count >= 1 && count <= MOST) return count;
  throw new PlumeError(
    "INVALID_ARGUMENT",
    `data.source ${name}:${argument}: the count must be a whole number from 1 to ${MOST}`,
    { remedy: `for example ${name}:${usual}, or ${name}: alone` },
  );
}

/** Sample k's own numbers, uniform in [0, 1): float64 [n]. A function of k and its split alone. */
export const numbersOf = (k: number, n: number, split: Split = "train"): Float64Array =>
  uniforms({ seed: 0, purpose: PURPOSE.shapes, step: split === "train" ? 0 : 1, index: k }, n);
