// Values of several seeds as a cell of a table.

import { spreadOf } from "../../shared/spread.ts";

/** Mean and, of several, the standard deviation with n - 1. */
export function spread(values: readonly number[], digits: number): string {
  if (values.length === 0) return "-";
  const { mean, std } = spreadOf(values);
  return mean.toFixed(digits) + (std === null ? "" : ` ± ${std.toFixed(digits)}`);
}
