// Histograms as an SVG: one row a series over a shared axis, its median and its tail in numbers and as lines.

import { invariant } from "../invariant.ts";
import { escapeXml } from "./picture.ts";

export interface Series {
  readonly name: string;
  /** What is not finite is left out. */
  readonly values: readonly number[];
}

export interface HistogramOptions {
  readonly title: string;
  /** Of the values, such as "s". */
  readonly unit: string;
  /** A logarithmic axis, unless false; on it what is not positive stands at the left edge. */
  readonly log?: boolean;
}

interface Axis {
  readonly ticks: readonly number[];
  /** Where a value stands, from 0 (left) to 1 (right). */
  readonly share: (value: number) => number;
}

const W = 860;
const [LEFT, RIGHT, TOP, BOTTOM] = [64, 24, 48, 44];
const INNER = W - LEFT - RIGHT;
const ROW = 96;
/** Of a row: its text above its bars. */
const CAPTION = 32;
const BINS = 80;
/** Of a bar, so that a single outlier is seen beside thousands. */
const LEAST_HEIGHT = 1.5;
/** Of a letter, rounded up: nothing here can measure text. */
const [PLAIN, BOLD] = [7.4, 8.6];
const MOST_TICKS = 18;
const SEPARATOR = " · ";

export function histogramChart(series: readonly Series[], { title, unit, log = true }: HistogramOptions): string {
  const rows = series.map(({ name, values }) => ({ name, values: values.filter(Number.isFinite) }));
  const bottom = TOP + ROW * Math.max(1, rows.length);
  const height = bottom + BOTTOM;
  const all = rows.flatMap(({ values }) => values);
  const axis = log ? logAxis(all.filter((value) => value > 0)) : linearAxis(all);
  const parts = axis.ticks.map(
    (tick) =>
      `<text class="tick" x="${place(axis, tick)}" y="${bottom + 18}" text-anchor="middle" fill="#555">${tick}</text>`,
  );
  parts.push(...rows.map(({ name, values }, i) => rowOf(name, values, unit, axis, TOP + ROW * i)));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${W} ${height}" width="${W}" height="${height}" font-family="DejaVu Sans, Helvetica, sans-serif" font-size="12">
<rect width="${W}" height="${height}" fill="#fff"/><text x="${LEFT}" y="28" font-size="16" font-weight="bold" fill="#222">${escapeXml(title)}</text>
${parts.join("\n")}
<text x="${LEFT + INNER / 2}" y="${height - 6}" text-anchor="middle" fill="#555">${escapeXml(unit)}</text>
</svg>
`;
}

/** By nearest rank: always one of the values, NaN when there is none. `p` is from 0 to 100. */
export function percentile(values: readonly number[], p: number): number {
  return ranked(
    values.toSorted((a, b) => a - b),
    p,
  );
}

function ranked(sorted: readonly number[], p: number): number {
  invariant(p >= 0 && p <= 100, "a percentile is from 0 to 100");
  return sorted[Math.max(1, Math.ceil((p * sorted.length) / 100)) - 1] ?? Number.NaN;
}

function rowOf(name: string, values: readonly number[], unit: string, axis: Axis, top: number): string {
  const [from, to] = [top + CAPTION, top + ROW];
  const summary = values.length === 0 ? [{ text: "none", colour: "#777" }] : summaryOf(values, unit);
  const letters = summary.reduce((sum, { text }) => sum + text.length + SEPARATOR.length, 0);
  const spans = summary.map(({ text, colour }) => `<tspan fill="${colour}">${escapeXml(text)}</tspan>`);
  const parts = axis.ticks.map((tick) => vertical(axis, tick, from, to, `stroke="#ececec"`));
  parts.push(
    `<text x="${LEFT}" y="${from - 8}" font-weight="bold" fill="#222">${escapeXml(cut(name, (INNER - letters * PLAIN) / BOLD))}</text>`,
    `<text x="${W - RIGHT}" y="${from - 8}" text-anchor="end" fill="#777">${spans.join(SEPARATOR)}</text>`,
    `<line x1="${LEFT}" x2="${W - RIGHT}" y1="${to}" y2="${to}" stroke="#999"/>`,
  );
  if (values.length > 0) parts.push(...bars(values, axis, from, to));
  for (const { value, colour } of summary)
    if (value !== undefined) parts.push(vertical(axis, value, from, to, `stroke="${colour}" stroke-width="1.5"`));
  return `<g class="series">${parts.join("")}</g>`;
}

/** What a row says of its values; a part with a value is drawn as a line as well. */
function summaryOf(values: readonly number[], unit: string): { text: string; colour: string; value?: number }[] {
  const sorted = values.toSorted((a, b) => a - b);
  const [p50, p95, max] = [ranked(sorted, 50), ranked(sorted, 95), ranked(sorted, 100)];
  return [
    { text: `n ${values.length}`, colour: "#555" },
    { text: `p50 ${short(p50)} ${unit}`, colour: "#08519c", value: p50 },
    { text: `p95 ${short(p95)} ${unit}`, colour: "#d94801", value: p95 },
    { text: `max ${short(max)} ${unit}`, colour: "#555" },
  ];
}

function cut(name: string, room: number): string {
  const letters = [...name];
  return letters.length <= room ? name : `${letters.slice(0, Math.max(0, Math.floor(room) - 1)).join("")}…`;
}

function bars(values: readonly number[], axis: Axis, from: number, to: number): string[] {
  const counts = new Array<number>(BINS).fill(0);
  for (const value of values) counts[Math.min(BINS - 1, Math.floor(axis.share(value) * BINS))]! += 1;
  const most = counts.reduce((a, b) => Math.max(a, b));
  const width = INNER / BINS;
  const parts = [
    `<text x="${LEFT - 8}" y="${from + 4}" text-anchor="end" font-size="11" fill="#777">${most}</text>`,
    `<line x1="${LEFT - 5}" x2="${LEFT}" y1="${from + 0.5}" y2="${from + 0.5}" stroke="#999"/>`,
  ];
  for (const [bin, count] of counts.entries()) {
    if (count === 0) continue;
    const height = Math.max(LEAST_HEIGHT, ((to - from) * count) / most);
    parts.push(
      `<rect x="${(LEFT + bin * width).toFixed(1)}" y="${(to - height).toFixed(1)}" width="${(width - 1).toFixed(1)}" height="${height.toFixed(1)}" fill="#9ecae1"/>`,
    );
  }
  return parts;
}

const vertical = (axis: Axis, value: number, from: number, to: number, stroke: string) =>
  `<line x1="${place(axis, value)}" x2="${place(axis, value)}" y1="${from}" y2="${to}" ${stroke}/>`;

const place = (axis: Axis, value: number) => (LEFT + INNER * axis.share(value)).toFixed(1);

/** Three digits, but no digit before the point is lost. */
const short = (value: number) => (Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3)));

/** From the tick below the least value to the tick above the greatest; ticks at 1, 2 and 5, or 1 alone, a decade. */
function logAxis(positive: readonly number[]): Axis {
  if (positive.length === 0) return { ticks: [], share: () => 0 };
  const [least, greatest] = extremes(positive);
  const [first, last] = [Math.floor(Math.log10(least)) - 1, Math.ceil(Math.log10(greatest)) + 1];
  const all: number[] = [];
  for (let decade = first; decade <= last; decade++) for (const m of [1, 2, 5]) all.push(Number(`${m}e${decade}`));
  const start = all.findLastIndex((tick) => tick <= least);
  const end = Math.max(
    start + 1,
    all.findIndex((tick) => tick >= greatest),
  );
  const ticks = all.slice(start, end + 1);
  const [low, high] = [Math.log(ticks[0]!), Math.log(ticks.at(-1)!)];
  const every = Math.ceil(ticks.length / 3 / MOST_TICKS);
  return {
    ticks:
      ticks.length <= MOST_TICKS
        ? ticks
        : ticks.filter((tick) => /^1(e|$)/.test(tick.toExponential()) && Math.round(Math.log10(tick)) % every === 0),
    share: (value) => (value > 0 ? clamp((Math.log(value) - low) / (high - low)) : 0),
  };
}

/** From zero, or from the tick below the least value where that is negative. */
function linearAxis(values: readonly number[]): Axis {
  if (values.length === 0) return { ticks: [], share: () => 0 };
  const [least, greatest] = extremes([0, ...values]);
  const rough = (greatest - least || 1) / 8;
  const magnitude = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * magnitude).find((candidate) => candidate >= rough) ?? magnitude * 10;
  const first = Math.floor(least / step);
  const last = Math.max(first + 1, Math.ceil(greatest / step));
  const ticks: number[] = [];
  for (let k = first; k <= last; k++) ticks.push(Number((k * step).toPrecision(6)));
  return { ticks, share: (value) => clamp((value / step - first) / (last - first)) };
}

const clamp = (share: number) => Math.min(1, Math.max(0, share));

function extremes(values: readonly number[]): [least: number, greatest: number] {
  return values.reduce<[number, number]>(
    ([a, b], value) => [Math.min(a, value), Math.max(b, value)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
}
