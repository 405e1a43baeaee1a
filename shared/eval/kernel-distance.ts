// The kernel distance between two sets of feature vectors: Binkowski et al. 2018. Unlike the Fréchet distance it is
// unbiased, so that small sets compare with large ones.

import { cubicKernel, squaredMmd } from "./mmd.ts";
import { countOf, type Rows } from "./rows.ts";

/** Larger sets are cut in as many equal parts as this takes, and the parts' values averaged: the cost is quadratic. */
const LARGEST_PART = 5000;

/** @param x, y at least two rows each, of one width. */
export function kernelDistance(x: Rows, y: Rows): number {
  const parts = Math.ceil(Math.max(countOf(x), countOf(y)) / LARGEST_PART);
  let sum = 0;
  for (let part = 0; part < parts; part++) sum += squaredMmd(cut(x, part, parts), cut(y, part, parts), cubicKernel);
  return sum / parts;
}

function cut(rows: Rows, part: number, parts: number): Rows {
  if (parts === 1) return rows;
  const { values, d } = rows;
  const n = values.length / d;
  const bound = (k: number) => Math.round((k * n) / parts) * d;
  return { values: Array.prototype.slice.call(values, bound(part), bound(part + 1)), d };
}
