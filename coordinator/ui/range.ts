// Which steps the charts show. Pure.

export type Range =
  | { readonly kind: "all" }
  | { readonly kind: "last"; readonly steps: number }
  | { readonly kind: "fixed"; readonly from: number; readonly to: number };

/** First and last step shown, of a run whose first and newest are known. */
export function bounds(range: Range, first: number, last: number): readonly [number, number] {
  if (range.kind === "fixed") return [range.from, range.to];
  const from = range.kind === "last" ? Math.max(first, last - range.steps + 1) : first;
  return [from, Math.max(from + 1, last)];
}

/** By a factor around a step, within the run; everything when nothing is left to hide. */
export function zoomed(
  shown: readonly [number, number],
  around: number,
  factor: number,
  first: number,
  last: number,
): Range {
  const width = Math.max(4, (shown[1] - shown[0]) * factor);
  const part = (around - shown[0]) / Math.max(1, shown[1] - shown[0]);
  const from = Math.max(first, Math.round(around - part * width));
  const to = Math.min(last, Math.round(from + width));
  return from <= first && to >= last ? { kind: "all" } : { kind: "fixed", from, to };
}
