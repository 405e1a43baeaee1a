// Numbers, times and bytes as a person reads them.

/** About four digits. */
export function short(x: number | null | undefined): string {
  if (x === null || x === undefined || !Number.isFinite(x)) return "-";
  if (x === 0) return "0";
  const size = Math.abs(x);
  if (size >= 1e6) return `${trim((x / 1e6).toPrecision(4))}M`;
  if (size >= 1e4) return `${trim((x / 1e3).toPrecision(4))}k`;
  if (size < 1e-4) return trim(x.toExponential(2)).replace("e-", "e\u2212");
  return trim(x.toPrecision(4));
}

const trim = (text: string): string => text.replace(/(\.\d*?)0+(?=e|$)/, "$1").replace(/\.(?=e|$)/, "");

export const whole = (x: number): string => Math.round(x).toLocaleString("en-US");

export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

export function seconds(s: number): string {
  if (!Number.isFinite(s)) return "-";
  if (s < 1) return `${(1000 * s).toFixed(0)} ms`;
  if (s < 60) return `${s.toFixed(1)} s`;
  const total = Math.round(s);
  const [h, m] = [Math.floor(total / 3600), Math.floor((total % 3600) / 60)];
  return h > 0 ? `${h} h ${String(m).padStart(2, "0")} min` : `${m} min ${String(total % 60).padStart(2, "0")} s`;
}

export const bytes = (n: number): string => (n >= 1e9 ? `${(n / 1e9).toFixed(2)} GB` : `${(n / 1e6).toFixed(1)} MB`);

/** In a picture: a tenth of a unit is finer than a screen. */
export const place = (x: number): string => String(Math.round(x * 10) / 10);

/** UTC, to the second. */
export const when = (atMs: number): string => new Date(atMs).toISOString().slice(0, 19).replace("T", " ");

/** Round numbers from low to high, about `count` of them. */
export function linearTicks(low: number, high: number, count: number): number[] {
  if (!(high > low)) return [low];
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((candidate) => candidate >= rough * 0.999)!;
  const ticks: number[] = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high * (1 + 1e-12) + 1e-300; k++) ticks.push(k * step + 0); // no -0
  return ticks;
}

/** 1, 2, 5 of every decade, or the decades alone where those are many. */
export function logTicks(low: number, high: number): number[] {
  const [from, to] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const parts = to - from > 4 ? [1] : to - from > 1 ? [1, 2, 5] : [1, 1.5, 2, 3, 5, 7];
  const all: number[] = [];
  for (let decade = from; decade <= to; decade++)
    for (const m of parts) if (m * 10 ** decade >= low && m * 10 ** decade <= high) all.push(m * 10 ** decade);
  return all;
}
