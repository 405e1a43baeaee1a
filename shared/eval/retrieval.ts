// How often a picture finds its caption among those of others, and a caption its picture: what CLIP learns (Radford et al. 2021).

import { meanOf } from "../spread.ts";

/** Shares of the queries whose own is the nearest, or among the five nearest. */
export interface Found {
  readonly top1: number;
  readonly top5: number;
}

/**
 * @param queries, keys float32 [n, D], row i of both of one sample, of one length each. @param captions of the samples: where two have
 * the same, either may find the other's.
 */
export function retrieval(queries: Float32Array, keys: Float32Array, captions: readonly string[]): Found {
  const ranks = captions.map((caption, i) => {
    const scores = scoresOf(queries, keys, i, captions.length);
    const best = Math.max(...scores.filter((_, j) => captions[j] === caption));
    return scores.filter((score) => score > best).length;
  });
  return foundOf(ranks.map((rank) => [Number(rank < 1), Number(rank < 5)]));
}

/** What is found by choosing blindly. */
export function chance(captions: readonly string[]): Found {
  const n = captions.length;
  return foundOf(
    captions.map((caption) => {
      const own = captions.filter((each) => each === caption).length;
      return [own / n, 1 - missed(own, n, Math.min(5, n))];
    }),
  );
}

/** The probability that none of `own` among n is one of k that are drawn. */
const missed = (own: number, n: number, k: number): number =>
  Array.from({ length: k }, (_, i) => Math.max(0, n - own - i) / (n - i)).reduce(
    (product, share) => product * share,
    1,
  );

const foundOf = (each: readonly (readonly number[])[]): Found => ({
  top1: meanOf(each.map(([top1]) => top1!)),
  top5: meanOf(each.map(([, top5]) => top5!)),
});

/** Of rows of length sqrt(D), of query i with the key that lies `shift` further on. */
export const meanCosine = (queries: Float32Array, keys: Float32Array, n: number, shift = 0): number =>
  meanOf(Array.from({ length: n }, (_, i) => dot(queries, i, keys, (i + shift) % n, queries.length / n))) /
  (queries.length / n);

/** Of query i with each of n keys. */
export const scoresOf = (queries: Float32Array, keys: Float32Array, i: number, n: number): number[] =>
  Array.from({ length: n }, (_, j) => dot(queries, i, keys, j, keys.length / n));

/** Of row i of a and row j of b, of D numbers each. */
function dot(a: Float32Array, i: number, b: Float32Array, j: number, D: number): number {
  let sum = 0;
  for (let d = 0; d < D; d++) sum += a[i * D + d]! * b[j * D + d]!;
  return sum;
}
