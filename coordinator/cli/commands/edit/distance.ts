/** Root of the mean square of the differences, in 255ths. Both uint8 of one length. */
export function distance(a: Uint8Array, b: Uint8Array): number {
  const squares = a.reduce((sum, value, k) => sum + (value - b[k]!) ** 2, 0);
  return Math.round(1000 * Math.sqrt(squares / a.length)) / 1000;
}
