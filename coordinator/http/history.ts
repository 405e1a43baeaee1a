// The measurements of every step, in memory, so that a chart of any range is answered without reading a file again: each
// step's numbers once, and above them a pyramid of buckets of 16, 32, 64 ... steps with mean, lowest and highest.
// About 40 bytes a step. A step that is added again (a run that was resumed) replaces itself and all behind it.

import { type HistoryAnswer, SERIES, type SeriesAnswer, type SeriesName } from "./api.ts";

export type Measured = { readonly step: number } & { readonly [S in SeriesName]: number | null };

export interface History {
  add(row: Measured): void;
  /** At most about `points` buckets of the steps from..to, both included. */
  range(points: number, from?: number, to?: number): HistoryAnswer;
}

interface Bucket {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** The first level above the steps themselves: buckets of 2^FIRST. */
const FIRST = 4;
const NOTHING: Bucket = { mean: Number.NaN, low: Number.NaN, high: Number.NaN };

export function createHistory(): History {
  const steps = growable((length) => new Float64Array(length));
  const values = perSeries(() => growable((length) => new Float32Array(length)));
  /** levels[k] has the whole buckets of 2^(FIRST + k) steps: mean, low, high of each, one after the other. */
  const levels = perSeries(() => [] as Growable[]);

  const bucketOf = (name: SeriesName, level: number, index: number): Bucket => {
    const size = 2 ** level;
    const kept = levels[name][level - FIRST];
    if (kept && 3 * index + 2 < kept.length) {
      const [mean, low, high] = [0, 1, 2].map((k) => kept.at(3 * index + k)) as [number, number, number];
      return { mean, low, high };
    }
    return summary(values[name], index * size, Math.min(steps.length, (index + 1) * size));
  };

  /** Whole buckets that end with the newest step. */
  const close = (name: SeriesName) => {
    for (let level = FIRST; steps.length % 2 ** level === 0; level++) {
      const index = steps.length / 2 ** level - 1;
      const whole =
        level === FIRST
          ? summary(values[name], index * 2 ** level, steps.length)
          : merged(bucketOf(name, level - 1, 2 * index), bucketOf(name, level - 1, 2 * index + 1));
      levels[name][level - FIRST] ??= growable((length) => new Float32Array(length));
      for (const number of [whole.mean, whole.low, whole.high]) levels[name][level - FIRST]!.push(number);
    }
  };

  const forgetFrom = (step: number) => {
    const left = firstAtLeast(steps, step);
    steps.cut(left);
    for (const name of SERIES) {
      values[name].cut(left);
      levels[name].forEach((level, k) => level.cut(3 * Math.floor(left / 2 ** (FIRST + k))));
    }
  };

  return {
    add(row) {
      if (steps.length > 0 && row.step <= steps.at(steps.length - 1)) forgetFrom(row.step);
      steps.push(row.step);
      for (const name of SERIES) values[name].push(row[name] ?? Number.NaN);
      for (const name of SERIES) close(name);
    },

    range(points, from = 0, to = Number.MAX_SAFE_INTEGER) {
      const begin = firstAtLeast(steps, from);
      const end = firstAtLeast(steps, to + 1);
      const level = Math.max(0, Math.ceil(Math.log2(Math.max(1, (end - begin) / points))));
      const size = 2 ** level;
      const buckets = { from: Math.floor(begin / size), to: Math.ceil(end / size) };
      const indices = Array.from({ length: Math.max(0, buckets.to - buckets.from) }, (_, k) => buckets.from + k);
      const middle = (index: number) =>
        (steps.at(index * size) + steps.at(Math.min(steps.length, (index + 1) * size) - 1)) / 2;
      return {
        perBucket: size,
        steps: indices.map(middle),
        series: perSeries((name): SeriesAnswer => {
          const found = indices.map((index) => bucketOf(name, level, index));
          return {
            mean: found.map(({ mean }) => finite(mean)),
            low: found.map(({ low }) => finite(low)),
            high: found.map(({ high }) => finite(high)),
          };
        }),
        first: steps.length > 0 ? steps.at(0) : null,
        last: steps.length > 0 ? steps.at(steps.length - 1) : null,
      };
    },
  };
}

/** Of the finite values at [from, to). */
function summary(column: Growable, from: number, to: number): Bucket {
  let [sum, count, low, high] = [0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = from; i < to; i++) {
    const value = column.at(i);
    if (!Number.isFinite(value)) continue;
    sum += value;
    count++;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return count === 0 ? NOTHING : { mean: sum / count, low, high };
}

function merged(a: Bucket, b: Bucket): Bucket {
  if (Number.isNaN(a.mean)) return b;
  if (Number.isNaN(b.mean)) return a;
  return { mean: (a.mean + b.mean) / 2, low: Math.min(a.low, b.low), high: Math.max(a.high, b.high) };
}

/** JSON has no NaN; and six digits are more than a screen has. */
const finite = (x: number): number | null => (Number.isFinite(x) ? Number(x.toPrecision(6)) : null);

const perSeries = <T>(make: (name: SeriesName) => T) =>
  Object.fromEntries(SERIES.map((name) => [name, make(name)])) as Record<SeriesName, T>;

interface Growable {
  readonly length: number;
  at(index: number): number;
  push(value: number): void;
  /** Keeps the first so many. */
  cut(length: number): void;
}

function growable<A extends Float32Array | Float64Array>(make: (length: number) => A): Growable {
  let array = make(1024);
  let length = 0;
  return {
    get length() {
      return length;
    },
    at: (index) => array[index]!,
    push(value) {
      if (length === array.length) {
        const larger = make(2 * length);
        larger.set(array);
        array = larger;
      }
      array[length++] = value;
    },
    cut(to) {
      length = Math.min(length, to);
    },
  };
}

/** The first place with a value >= `value`, in an ascending column. */
function firstAtLeast(column: Growable, value: number): number {
  let [low, high] = [0, column.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (column.at(middle) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
