// Numbers over steps, made fewer for a picture: a long run is drawn by as many points as a screen has columns.

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** One column of a picture: the mean of its points, and between what they lie. */
export interface Column extends Point {
  readonly low: number;
  readonly high: number;
}

/** Points that a curve is drawn by, at most. */
const MOST_COLUMNS = 600;

/** Means of runs of neighbours, equally many in each. Points without a number are left out. */
export function columnsOf(points: readonly Point[], most = MOST_COLUMNS): Column[] {
  const finite = points.filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y));
  const size = Math.max(1, Math.ceil(finite.length / most));
  const columns: Column[] = [];
  for (let from = 0; from < finite.length; from += size) {
    const part = finite.slice(from, from + size);
    let [sum, low, high] = [0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const { y } of part) {
      sum += y;
      low = Math.min(low, y);
      high = Math.max(high, y);
    }
    columns.push({ x: part[part.length >> 1]!.x, y: sum / part.length, low, high });
  }
  return columns;
}

/** A mean centred on each value, narrow at the start, so that it does not trail the first descent. Linear in the length. */
export function smoothed(points: readonly Point[]): Point[] {
  const finite = points.filter(({ y }) => Number.isFinite(y));
  const half = Math.min(500, Math.floor(finite.length / 40));
  const sums = [0];
  for (const { y } of finite) sums.push(sums.at(-1)! + y);
  return finite.map(({ x }, i) => {
    const [from, to] = [Math.max(0, i - half), Math.min(finite.length, i + Math.min(half, i) + 1)];
    return { x, y: (sums[to]! - sums[from]!) / (to - from) };
  });
}

/** The value below which this share of all lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.round(share * (sorted.length - 1))))] ?? 0;
}
