// Who computed which share of which step, from the ledger's lines: one lane a worker. Lines are taken in one by one; what is
// kept of them does not grow with their number.

import { type Mark, markLines } from "./chart.ts";
import { safe } from "./html.ts";
import { linearTicks, percent, place, short } from "./numbers.ts";

interface BlockOwner {
  readonly lo: number;
  readonly hi: number;
  readonly worker: string;
}

interface Lane {
  readonly worker: string;
  /** Part of the micro-batches of each stretch of steps, 0 to 1. */
  readonly shares: readonly number[];
  /** Of all steps. */
  readonly share: number;
}

export interface Timeline {
  /** First step, and the one after the last. */
  readonly from: number;
  readonly to: number;
  /** Steps of a stretch; the last one may be shorter. */
  readonly stretch: number;
  readonly lanes: readonly Lane[];
}

export interface TimelineMaker {
  add(step: number, blocks: readonly BlockOwner[]): void;
  /** Null when nothing was added. */
  made(): Timeline | null;
}

/** Stretches that are kept, at most; with twice as many, two become one. */
const MOST = 400;

export function createTimeline(): TimelineMaker {
  let from: number | null = null;
  let to = 0;
  let stretch = 1;
  /** Micro-batches of each stretch by worker. */
  let parts: Map<string, number>[] = [];

  const halve = () => {
    const merged: Map<string, number>[] = [];
    for (let i = 0; i < parts.length; i += 2) {
      const sum = new Map(parts[i]);
      for (const [worker, n] of parts[i + 1] ?? []) sum.set(worker, (sum.get(worker) ?? 0) + n);
      merged.push(sum);
    }
    parts = merged;
    stretch *= 2;
  };

  return {
    add(step, blocks) {
      from ??= step;
      to = Math.max(to, step + 1);
      let at = Math.floor((step - from) / stretch);
      if (at < 0) return; // what the audit says of such a line is enough
      while (at >= 2 * MOST) {
        halve();
        at = Math.floor((step - from) / stretch);
      }
      const part = parts[at] ?? new Map<string, number>();
      parts[at] = part;
      for (const { lo, hi, worker } of blocks) part.set(worker, (part.get(worker) ?? 0) + hi - lo);
    },
    made() {
      if (from === null) return null;
      const filled = Array.from(parts, (part) => part ?? new Map<string, number>());
      const sums = filled.map((part) => [...part.values()].reduce((sum, n) => sum + n, 0));
      const all = sums.reduce((sum, n) => sum + n, 0);
      const names = [...new Set(filled.flatMap((part) => [...part.keys()]))];
      names.sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
      const lanes = names.map((worker) => ({
        worker,
        shares: filled.map((part, i) => (sums[i]! > 0 ? (part.get(worker) ?? 0) / sums[i]! : 0)),
        share: filled.reduce((sum, part) => sum + (part.get(worker) ?? 0), 0) / Math.max(1, all),
      }));
      return { from, to, stretch, lanes };
    },
  };
}

const LEFT = 150;
const RIGHT = 64;
const LANE = 22;
const GAP = 5;
const W = 1130;
/** Lanes drawn; the others, those with the least work, are one. */
const MOST_LANES = 30;

export function timelineChart({ from, to, stretch, lanes }: Timeline, marks: readonly Mark[]): string {
  const drawn = fewer(lanes);
  const H = 10 + drawn.length * (LANE + GAP) + 26;
  const x = (step: number) => LEFT + ((W - LEFT - RIGHT) * (step - from)) / Math.max(1, to - from);
  const bottom = H - 26;
  const rows = drawn.map(({ worker, shares, share }, i) => {
    const floor = 10 + i * (LANE + GAP) + LANE;
    const name = worker.length > 22 ? `${worker.slice(0, 21)}…` : worker;
    return `<path class="grid" d="M${LEFT} ${floor}H${W - RIGHT}"/><path d="${steps(shares, floor, (k) => x(Math.min(to, from + k * stretch)))}" fill="var(--c${i % 8})"/><text x="${LEFT - 8}" y="${floor - 6}" text-anchor="end">${safe(name)}<title>${safe(worker)}</title></text><text x="${W - RIGHT + 8}" y="${floor - 6}">${percent(share)}</text>`;
  });
  const ticks = linearTicks(from, to, 10).map(
    (tick) => `<text x="${place(x(tick))}" y="${bottom + 14}" text-anchor="middle">${short(tick)}</text>`,
  );
  const lines = markLines(marks, from, to, (at) => `M${place(x(at))} 4V${bottom}`);
  return `<svg class="chart" viewBox="0 0 ${W} ${H}" role="img" aria-label="who worked when">${[...rows, ...ticks, ...lines].join("\n")}</svg>`;
}

function fewer(lanes: readonly Lane[]): Lane[] {
  if (lanes.length <= MOST_LANES) return [...lanes];
  const kept = new Set([...lanes].sort((a, b) => b.share - a.share).slice(0, MOST_LANES - 1));
  const rest = lanes.filter((lane) => !kept.has(lane));
  const shares = rest[0]!.shares.map((_, k) => rest.reduce((sum, lane) => sum + lane.shares[k]!, 0));
  const share = rest.reduce((sum, lane) => sum + lane.share, 0);
  return [...lanes.filter((lane) => kept.has(lane)), { worker: `${rest.length} others`, shares, share }];
}

/** A skyline: as high as the share, equal neighbours as one. */
function steps(shares: readonly number[], floor: number, x: (k: number) => number): string {
  let path = `M${place(x(0))} ${floor}`;
  shares.forEach((share, k) => {
    if (k > 0 && share === shares[k - 1]) return;
    path += `H${place(x(k))}V${place(floor - LANE * share)}`;
  });
  return `${path}H${place(x(shares.length))}V${floor}Z`;
}
