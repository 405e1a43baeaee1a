// A few values in two numbers.

export interface Spread {
  readonly mean: number;
  /** The standard deviation, with n - 1; null of one value. */
  readonly std: number | null;
}

/** @param values at least one. */
export function spreadOf(values: readonly number[] | Float64Array): Spread {
  const n = values.length;
  const mean = meanOf(values);
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  return { mean, std: n > 1 ? Math.sqrt(squares / (n - 1)) : null };
}

/** @param values at least one. */
export function meanOf(values: readonly number[] | Float64Array | Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}
