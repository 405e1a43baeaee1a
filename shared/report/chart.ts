// Charts as inline SVG: curves with a band of what they are the mean of, stacked areas, marks of what happened. What lies
// under the pointer is beside the picture as numbers, for the page's script.

import { redact } from "../secrets.ts";
import { safe } from "./html.ts";
import { linearTicks, logTicks, place, short } from "./numbers.ts";
import { type Column, quantile } from "./series.ts";

export interface Series {
  readonly name: string;
  /** Index of the palette. */
  readonly colour: number;
  readonly columns: readonly Column[];
  /** Drawn light, and as a band where it is many points a column. */
  readonly faint?: boolean;
  /** So that what lies below is seen. */
  readonly dashed?: boolean;
}

export interface Mark {
  readonly x: number;
  readonly label: string;
  readonly tone: "good" | "warn" | "bad";
}

interface ChartOptions {
  readonly series: readonly Series[];
  readonly xLabel: string;
  readonly scale?: "linear" | "log";
  /** Of the axis of steps and their kin, which are then above 0. */
  readonly xScale?: "log";
  /** Areas on top of each other instead of curves. */
  readonly stacked?: boolean;
  readonly marks?: readonly Mark[];
  readonly wide?: boolean;
  readonly unit?: string;
}

const LEFT = 52;
const RIGHT = 10;
const TOP = 8;
const BOTTOM = 32;

/** Empty when there is nothing to draw. */
export function chart(options: ChartOptions): string {
  const { series, xLabel, marks = [], wide = false, stacked = false, unit = "", xScale } = options;
  const all = series.flatMap(({ columns }) => columns);
  if (all.length === 0) return "";
  const [W, H] = wide ? [1130, 300] : [552, 210];
  const xs = all.map(({ x }) => x);
  const along = xScale === "log" ? Math.log : (value: number) => value;
  const [x0, x1] = [min(xs), max(xs)];
  const [from, to] = [along(x0), Math.max(along(x1), along(x0) + 1e-9)];
  const domain = stacked ? stackedDomain(series) : curveDomain(series, options.scale ?? "linear");
  const x = (value: number) => LEFT + ((W - LEFT - RIGHT) * (along(value) - from)) / (to - from);
  const y = (value: number) => H - BOTTOM - (H - TOP - BOTTOM) * domain.share(value);
  const parts = [
    ...domain.ticks.map(
      (tick) =>
        `<path class="grid" d="M${LEFT} ${place(y(tick))}H${W - RIGHT}"/><text x="${LEFT - 7}" y="${place(y(tick) + 4)}" text-anchor="end">${short(tick)}</text>`,
    ),
    ...(xScale === "log" ? logTicks(x0, x1) : linearTicks(x0, x1, wide ? 10 : 5)).map(
      (tick) => `<text x="${place(x(tick))}" y="${H - BOTTOM + 15}" text-anchor="middle">${short(tick)}</text>`,
    ),
    `<text x="${W - RIGHT}" y="${H - 4}" text-anchor="end">${safe(xLabel)}</text>`,
    ...(stacked ? areas(series, x, y) : series.flatMap((each) => curve(each, x, y))),
    ...markLines(marks, x0, x1, (at) => `M${place(x(at))} ${TOP}V${H - BOTTOM}`),
    `<line class="cursor" y1="${TOP}" y2="${H - BOTTOM}"/>`,
  ];
  const frame = [from, to, LEFT, W - RIGHT].map((value) => Number(value.toPrecision(9))).join(" ");
  const label = safe(`${series.map(({ name }) => name).join(", ")} by ${xLabel}`);
  return `${legend(series)}<svg class="chart" viewBox="0 0 ${W} ${H}" role="img" aria-label="${label}" data-x="${frame}"${xScale === "log" ? " data-log" : ""}>${parts.join("\n")}</svg>${numbersOf(series, xLabel, unit)}`;
}

const RANK = { good: 0, warn: 1, bad: 2 } as const;

/** What was bad lies on top. */
export const markLines = (marks: readonly Mark[], from: number, to: number, path: (x: number) => string): string[] =>
  marks
    .filter(({ x }) => x >= from && x <= to)
    .sort((a, b) => RANK[a.tone] - RANK[b.tone])
    .map(
      ({ x, label, tone }) =>
        `<path class="mark" style="stroke:var(--${tone})" d="${path(x)}"><title>${safe(label)}</title></path>`,
    );

const legend = (series: readonly Series[]): string =>
  series.length < 2
    ? ""
    : `<div class="legend">${series.map(({ name, colour, faint }) => `<span><i style="background:var(--c${colour % 8});opacity:${faint ? 0.4 : 1}"></i>${safe(name)}</span>`).join("")}</div>`;

interface Domain {
  readonly ticks: readonly number[];
  /** 0 at the lower edge, 1 at the upper one. */
  share(value: number): number;
}

/** A few wild values must not flatten all others: those beyond the outermost percent are cut off at the edge. */
function curveDomain(series: readonly Series[], scale: "linear" | "log"): Domain {
  const values = series.flatMap(({ columns }) => columns.map(({ y }) => y));
  const logarithmic = scale === "log" && values.every((value) => value > 0);
  const low = quantile(values, 0.005);
  const high = quantile(values, 0.995);
  if (logarithmic && high > low) {
    const [from, to] = [Math.log(low * 0.95), Math.log(high * 1.05)];
    return {
      ticks: logTicks(low * 0.95, high * 1.05),
      share: (value) => clamp((Math.log(value) - from) / (to - from)),
    };
  }
  const from = low >= 0 && low < 0.5 * high ? 0 : low - 0.05 * (high - low || Math.abs(high) || 1);
  const to = high + 0.05 * (high - from || 1);
  return { ticks: linearTicks(from, to, 5), share: (value) => clamp((value - from) / (to - from)) };
}

function stackedDomain(series: readonly Series[]): Domain {
  const sums = series[0]!.columns.map((_, i) => series.reduce((sum, { columns }) => sum + (columns[i]?.y ?? 0), 0));
  const to = (quantile(sums, 0.98) || 1) * 1.1;
  return { ticks: linearTicks(0, to, 5), share: (value) => clamp(value / to) };
}

type Place = (value: number) => number;

function curve({ columns, colour, faint, dashed }: Series, x: Place, y: Place): string[] {
  const stroke = `var(--c${colour % 8})`;
  const path = columns.map((each, i) => `${i === 0 ? "M" : "L"}${place(x(each.x))} ${place(y(each.y))}`).join("");
  const isBand = faint && columns.some(({ low, high }) => high > low);
  const upper = columns.map((each, i) => `${i === 0 ? "M" : "L"}${place(x(each.x))} ${place(y(each.high))}`).join("");
  const lower = [...columns]
    .reverse()
    .map((each) => `L${place(x(each.x))} ${place(y(each.low))}`)
    .join("");
  if (isBand) return [`<path d="${upper}${lower}Z" fill="${stroke}" opacity="0.25"/>`];
  if (columns.length === 1)
    return [`<circle cx="${place(x(columns[0]!.x))}" cy="${place(y(columns[0]!.y))}" r="2.5" fill="${stroke}"/>`];
  return [
    `<path d="${path}" fill="none" stroke="${stroke}" stroke-width="${faint ? 1 : 1.6}" stroke-linejoin="round"${dashed ? ' stroke-dasharray="5 5"' : ""} opacity="${faint ? 0.4 : 1}"/>`,
  ];
}

/** Each on top of those before it. */
function areas(series: readonly Series[], x: Place, y: Place): string[] {
  const floor = series[0]!.columns.map(() => 0);
  return series.map(({ columns, colour }) => {
    const lower = columns
      .map((each, i) => `L${place(x(each.x))} ${place(y(floor[i]!))}`)
      .reverse()
      .join("");
    const upper = columns.map((each, i) => {
      floor[i] = floor[i]! + each.y;
      return `${i === 0 ? "M" : "L"}${place(x(each.x))} ${place(y(floor[i]!))}`;
    });
    return `<path d="${upper.join("")}${lower}Z" fill="var(--c${colour % 8})" opacity="0.8"/>`;
  });
}

/** Beside the picture: what the script shows under the pointer. */
function numbersOf(series: readonly Series[], xLabel: string, unit: string): string {
  const xs = [...new Set(series.flatMap(({ columns }) => columns.map(({ x }) => x)))].sort((a, b) => a - b);
  const y = series.map(({ columns }) => {
    const at = new Map(columns.map((column) => [column.x, column.y]));
    return xs.map((each) => (at.has(each) ? short(at.get(each)) + unit : null));
  });
  const data = {
    label: xLabel,
    x: xs.map((each) => Number(each.toPrecision(9))),
    names: series.map(({ name }) => name),
    y,
  };
  return `<script type="application/json">${redact(JSON.stringify(data)).replaceAll("<", "\\u003c")}</script>`;
}

const clamp = (share: number): number => Math.min(1, Math.max(0, share));
const min = (values: readonly number[]): number => values.reduce((a, b) => Math.min(a, b));
const max = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b));
