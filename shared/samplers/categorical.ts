// One draw of a categorical distribution, on the host: the same of the same logits on every machine.

import { exactExp } from "../rng/exact-math.ts";

export interface CategoricalOptions {
  /** What the logits are divided by. */
  readonly temperature: number;
  /** So many of the likeliest can be drawn, and those as likely as the last of them. */
  readonly topK: number;
}

/** Where the sum of probabilities exceeds u. @param u in [0, 1). */
export function categorical(logits: Float32Array, u: number, { temperature, topK }: CategoricalOptions): number {
  const sorted = logits.toSorted((a, b) => b - a);
  const [most, least] = [sorted[0]!, sorted[Math.min(topK, logits.length) - 1]!];
  const weights = Array.from(logits, (each) => (each < least ? 0 : exactExp((each - most) / temperature)));
  let left = u * weights.reduce((sum, weight) => sum + weight, 0);
  const found = weights.findIndex((weight) => {
    left -= weight;
    return left < 0;
  });
  return found >= 0 ? found : weights.findLastIndex((weight) => weight > 0);
}
