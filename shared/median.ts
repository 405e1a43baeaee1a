/** Of an even number of values the larger of the two in the middle; null of none. */
export function medianOf(values: readonly number[]): number | null {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? null;
}
