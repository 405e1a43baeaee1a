// A log-log plot of a few lines, as an SVG: whether a cost grows faster than what it is compared with.

import { escapeXml } from "../../shared/data/picture.ts";

export interface Line {
  readonly name: string;
  readonly colour: string;
  readonly dashed?: boolean;
  readonly points: readonly (readonly [x: number, y: number])[];
}

const W = 760;
const H = 420;
const [LEFT, RIGHT, TOP, BOTTOM] = [64, 150, 48, 48];

/** @param lines positive values; x in doublings, one tick a power of two. */
export function logLogChart(lines: readonly Line[], { title, x, y }: { title: string; x: string; y: string }): string {
  const all = lines.flatMap(({ points }) => points);
  const xs = range(all.map(([value]) => value));
  const ys = range(all.map(([, value]) => value));
  const atX = (value: number) => LEFT + ((W - LEFT - RIGHT) * Math.log(value / xs.low)) / Math.log(xs.high / xs.low);
  const atY = (value: number) =>
    H - BOTTOM - ((H - TOP - BOTTOM) * Math.log(value / ys.low)) / Math.log(ys.high / ys.low);
  const parts: string[] = [];
  for (let tick = 2 ** Math.ceil(Math.log2(xs.low)); tick <= xs.high; tick *= 2)
    parts.push(`<text x="${atX(tick)}" y="${H - BOTTOM + 20}" text-anchor="middle" fill="#555">${tick}</text>`);
  for (let decade = 10 ** Math.floor(Math.log10(ys.low)); decade <= ys.high; decade *= 10)
    for (const tick of [1, 2, 5].map((m) => m * decade).filter((value) => value >= ys.low && value <= ys.high))
      parts.push(
        `<line x1="${LEFT}" x2="${W - RIGHT}" y1="${atY(tick)}" y2="${atY(tick)}" stroke="#e6e6e6"/><text x="${LEFT - 8}" y="${atY(tick) + 4}" text-anchor="end" fill="#555">${Number(tick.toPrecision(1))}</text>`,
      );
  const labels = apart(lines.map(({ points }) => atY(points.at(-1)![1])));
  for (const [i, { name, colour, dashed, points }] of lines.entries()) {
    const path = points.map(([px, py], k) => `${k ? "L" : "M"}${atX(px).toFixed(1)} ${atY(py).toFixed(1)}`).join("");
    parts.push(
      `<path d="${path}" fill="none" stroke="${colour}" stroke-width="2"${dashed ? ' stroke-dasharray="5 4"' : ""}/>`,
      `<text x="${W - RIGHT + 8}" y="${(labels[i]! + 4).toFixed(1)}" fill="${colour}">${escapeXml(name)}</text>`,
    );
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${W} ${H}" width="${W}" height="${H}" font-family="DejaVu Sans, Helvetica, sans-serif" font-size="12">
<rect width="${W}" height="${H}" fill="#fff"/><text x="${LEFT}" y="28" font-size="16" font-weight="bold" fill="#222">${escapeXml(title)}</text>
${parts.join("\n")}
<text x="${(LEFT + W - RIGHT) / 2}" y="${H - 8}" text-anchor="middle" fill="#555">${escapeXml(x)}</text><text x="${LEFT - 8}" y="${TOP - 8}" text-anchor="end" fill="#555">${escapeXml(y)}</text>
</svg>
`;
}

const LINE = 16;

/** Heights moved down until no two are closer than a line. */
function apart(heights: readonly number[]): number[] {
  const moved = [...heights];
  const order = heights.map((_, i) => i).sort((a, b) => heights[a]! - heights[b]!);
  for (const [k, i] of order.entries()) if (k > 0) moved[i] = Math.max(moved[i]!, moved[order[k - 1]!]! + LINE);
  return moved;
}

const range = (values: readonly number[]) => ({ low: Math.min(...values) * 0.9, high: Math.max(...values) * 1.15 });
