// Two samples on a line, walked together in ascending order.

import { invariant } from "../invariant.ts";

/**
 * Calls `visit` for every interval between neighbouring values of both samples, with its width and how far the two
 * empirical distribution functions are apart there.
 */
export function walkApart(
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  visit: (apart: number, width: number) => void,
): void {
  const [a, b] = [Float64Array.from(x).sort(), Float64Array.from(y).sort()];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const value = Math.min(a[i] ?? Number.POSITIVE_INFINITY, b[j] ?? Number.POSITIVE_INFINITY);
    invariant(!Number.isNaN(value), "a sample is not a number");
    while (a[i] === value) i++;
    while (b[j] === value) j++;
    const next = Math.min(a[i] ?? Number.POSITIVE_INFINITY, b[j] ?? Number.POSITIVE_INFINITY);
    visit(Math.abs(i / a.length - j / b.length), next === Number.POSITIVE_INFINITY ? 0 : next - value);
  }
}
