// The loss curve as an SVG: raw values light, smoothed dark, a logarithmic axis unless a loss is below 0, as a GAN's may be.

import { escapeXml } from "./picture.ts";

export interface LossPoint {
  readonly step: number;
  readonly loss: number | null;
}

const W = 860;
const H = 420;
const [LEFT, RIGHT, TOP, BOTTOM] = [64, 24, 48, 44];

export function lossChart(points: readonly LossPoint[], { title }: { title: string }): string {
  const finite = points.filter((p): p is { step: number; loss: number } => p.loss !== null && Number.isFinite(p.loss));
  const parts: string[] = [];
  if (finite.length === 0)
    parts.push(`<text x="${W / 2}" y="${H / 2}" text-anchor="middle" fill="#777">no committed step yet</text>`);
  else parts.push(...plot(finite));
  const head = `<text x="${LEFT}" y="28" font-size="16" font-weight="bold" fill="#222">${escapeXml(title)}: training loss</text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${W} ${H}" width="${W}" height="${H}" font-family="DejaVu Sans, Helvetica, sans-serif" font-size="12">
<rect width="${W}" height="${H}" fill="#fff"/>${head}
${parts.join("\n")}
</svg>
`;
}

function plot(points: readonly { step: number; loss: number }[]): string[] {
  const smooth = smoothed(points.map((p) => p.loss));
  const [first, last] = [points[0]!.step, Math.max(points.at(-1)!.step, points[0]!.step + 1)];
  const sorted = points.map((p) => p.loss).sort((a, b) => a - b);
  const { low, high, along, ticks } = axis(
    sorted[0]!,
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.995))]!,
  );
  const x = (step: number) => LEFT + ((W - LEFT - RIGHT) * (step - first)) / (last - first);
  const y = (loss: number) => {
    const share = (along(Math.min(high, Math.max(low, loss))) - along(low)) / (along(high) - along(low));
    return H - BOTTOM - (H - TOP - BOTTOM) * share;
  };
  const line = (values: readonly number[]) =>
    points.map((p, i) => `${i === 0 ? "M" : "L"}${x(p.step).toFixed(1)} ${y(values[i]!).toFixed(1)}`).join("");
  const parts: string[] = [];
  for (const tick of ticks)
    parts.push(
      `<line x1="${LEFT}" x2="${W - RIGHT}" y1="${y(tick).toFixed(1)}" y2="${y(tick).toFixed(1)}" stroke="#e6e6e6"/><text x="${LEFT - 8}" y="${(y(tick) + 4).toFixed(1)}" text-anchor="end" fill="#555">${tick}</text>`,
    );
  for (const tick of linearTicks(first, last))
    parts.push(
      `<text x="${x(tick).toFixed(1)}" y="${H - BOTTOM + 20}" text-anchor="middle" fill="#555">${tick}</text>`,
    );
  parts.push(`<text x="${(LEFT + W - RIGHT) / 2}" y="${H - 6}" text-anchor="middle" fill="#555">step</text>`);
  parts.push(`<path d="${line(points.map((p) => p.loss))}" fill="none" stroke="#9ecae1" stroke-width="1"/>`);
  parts.push(`<path d="${line(smooth)}" fill="none" stroke="#08519c" stroke-width="2"/>`);
  parts.push(
    `<text x="${W - RIGHT}" y="28" text-anchor="end" fill="#08519c">${ending(points).toFixed(4)} at the end</text>`,
  );
  return parts;
}

/** Of losses, the least and nearly the largest given. */
function axis(least: number, most: number) {
  if (least > 0) {
    const [low, high] = [least * 0.9, most * 1.1];
    return { low, high, along: Math.log, ticks: logTicks(low, high) };
  }
  const room = 0.05 * (most - least || 1);
  const [low, high] = [least - room, most + room];
  return { low, high, along: (loss: number) => loss, ticks: linearTicks(low, high, 0) };
}

/** A mean centred on each value, narrow at the start, so that it does not trail the first descent. */
function smoothed(values: readonly number[]): number[] {
  const half = Math.min(25, Math.floor(values.length / 40));
  return values.map((_, i) => {
    const reach = Math.min(half, i);
    const around = values.slice(i - reach, i + reach + 1);
    return around.reduce((sum, value) => sum + value, 0) / around.length;
  });
}

/** The mean of the last twentieth: one step's loss is noise. */
function ending(points: readonly { loss: number }[]): number {
  const last = points.slice(-Math.max(1, Math.floor(points.length / 20)));
  return last.reduce((sum, { loss }) => sum + loss, 0) / last.length;
}

function logTicks(low: number, high: number): number[] {
  const ticks: number[] = [];
  for (let decade = Math.floor(Math.log10(low)); decade <= Math.ceil(Math.log10(high)); decade++)
    for (const m of [1, 2, 3, 5, 7]) {
      const tick = Number((m * 10 ** decade).toPrecision(1));
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  return ticks;
}

/** @param finest between two of them. */
function linearTicks(from: number, to: number, finest = 1): number[] {
  const rough = (to - from) / 6;
  const magnitude = 10 ** Math.floor(Math.log10(Math.max(finest, rough)));
  const step = [1, 2, 5, 10].map((m) => m * magnitude).find((candidate) => candidate >= rough) ?? magnitude * 10;
  const ticks: number[] = [];
  for (let k = Math.ceil(from / step); k * step <= to; k++) ticks.push(Number((k * step).toPrecision(6)));
  return ticks;
}
