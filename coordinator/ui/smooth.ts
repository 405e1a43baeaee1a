// The smoothed curve: an exponential mean over steps, without the pull of its start (Kingma and Ba 2015, section 3).

/** @param factor 0: the curve itself; towards 1 the mean reaches further back. @param steps ascending. */
export function smoothed(
  steps: readonly number[],
  values: readonly (number | null)[],
  factor: number,
): (number | null)[] {
  if (factor <= 0) return [...values];
  let mean = 0;
  let weight = 0;
  let before: number | null = null;
  return values.map((value, i) => {
    if (value === null) return null;
    const kept = factor ** (before === null ? 1 : Math.max(1, steps[i]! - before));
    before = steps[i]!;
    mean = kept * mean + (1 - kept) * value;
    weight = kept * weight + (1 - kept);
    return mean / weight;
  });
}
