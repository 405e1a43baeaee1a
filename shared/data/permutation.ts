// A seeded permutation of [0, n) that needs no array: a balanced Feistel network on the smallest even number of bits
// that holds n, walked until it is back inside [0, n). Black and Rogaway, "Ciphers with arbitrary finite domains",
// CT-RSA 2002.

import { invariant } from "../invariant.ts";
import { philox4x32 } from "../rng/philox.ts";
import { PURPOSE, seedWords } from "../rng/stream.ts";

/** Four already pass for random with an ideal round function (Luby and Rackoff 1988); six for small domains. */
const ROUNDS = 6;
const word = new Uint32Array(4);

/**
 * The sample id at `position` of an epoch: for each (seed, epoch) a bijection of [0, n).
 * @param n samples in the data set, 1 to 2^32. @param epoch uint32. @param position 0 to n - 1.
 */
export function permute(seed: number, epoch: number, n: number, position: number): number {
  invariant(n >= 1 && n <= 2 ** 32 && position >= 0 && position < n, `position ${position} of ${n} samples`);
  const bits = Math.max(2, 32 - Math.clz32(n - 1));
  const half = Math.ceil(bits / 2);
  const mask = (1 << half) - 1;
  const { low, high } = seedWords(seed);
  let value = position;
  // The domain is less than four times n (n = 1 aside), so the walk is back inside after a few turns.
  do {
    let left = value >>> half;
    let right = value & mask;
    for (let round = 0; round < ROUNDS; round++) {
      philox4x32(right, round, epoch | 0, PURPOSE.order, low, high, word, 0);
      const next = left ^ (word[0]! & mask);
      left = right;
      right = next;
    }
    value = ((left << half) | right) >>> 0;
  } while (value >= n);
  return value;
}
