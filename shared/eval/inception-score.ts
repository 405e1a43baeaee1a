// The inception score of any classifier's probabilities: exp E KL(p(y | x) || p(y)), Salimans et al. 2016, Sec. 4. From
// 1 (it cannot tell, or sees one class only) to the number of classes.

import { exactExp, exactLog } from "../rng/exact-math.ts";
import { countOf, type Rows } from "./rows.ts";

/**
 * @param probabilities [n, classes], each row a distribution.
 * @param split the mean over parts of so many rows is taken, p(y) being each part's own; the last may be shorter.
 */
export function inceptionScore({ values, d }: Rows, split: number): number {
  const n = countOf({ values, d });
  let sum = 0;
  let parts = 0;
  for (let from = 0; from < n; from += split, parts++)
    sum += exactExp(meanDivergence({ values, d }, from, Math.min(from + split, n)));
  return sum / parts;
}

/** The mean of KL(p(y | x) || p(y)) over rows [from, to), in nats. */
function meanDivergence({ values, d }: Rows, from: number, to: number): number {
  let sum = 0;
  for (let k = 0; k < d; k++) {
    let marginal = 0;
    for (let i = from; i < to; i++) marginal += values[i * d + k]! / (to - from);
    for (let i = from; i < to; i++) {
      const p = values[i * d + k]!;
      if (p > 0) sum += p * (exactLog(p) - exactLog(marginal));
    }
  }
  return sum / (to - from);
}
