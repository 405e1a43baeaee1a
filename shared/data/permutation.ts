// A seeded permutation of [0, n) that needs no array: a balanced Feistel network on the smallest even number of bits
// that holds n, with cycle walking back into [0, n) (Black and Rogaway 2002).

import { philox4x32 } from "../rng/philox.ts";
import { PURPOSE } from "../rng/stream.ts";

const ROUNDS = 6;
const word = new Uint32Array(4);

/** Where position `position` of epoch `epoch` lands: a bijection of [0, n), n at most 2^32. */
export function permute(seed: number, epoch: number, n: number, position: number): number {
  if (n === 1) return 0;
  const half = Math.max(1, Math.ceil(Math.log2(n) / 2));
  const side = 2 ** half;
  const k0 = seed % 2 ** 32 | 0;
  const k1 = Math.floor(seed / 2 ** 32) | 0;
  let value = position;
  // The domain is less than four times n, so a few turns bring the walk back inside.
  do {
    let left = Math.floor(value / side);
    let right = value % side;
    for (let round = 0; round < ROUNDS; round++) {
      philox4x32(right, round, epoch | 0, PURPOSE.order, k0, k1, word, 0);
      const next = (left ^ word[0]! % side) >>> 0;
      left = right;
      right = next;
    }
    value = left * side + right;
  } while (value >= n);
  return value;
}
