// What every bench shares: medians and spread, machine, PyTorch when it is there. Owns no measurement.

import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { ROOT } from "../../shared/root.ts";

/** Median and range of repeated measurements of one thing, in whatever unit they came. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly n: number;
}

/** @param values at least one. */
export function summarise(values: readonly number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)!, n: sorted.length };
}

/** `median (min to max)` with so many decimals. */
export const spread = ({ median, min, max }: Summary, decimals: number): string =>
  `${median.toFixed(decimals)} (${min.toFixed(decimals)} to ${max.toFixed(decimals)})`;

/** Clock ticks a second, as Linux counts processor time. */
const TICKS = 100;

/** Processor time of a process so far, all its threads. */
export function processorMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS;
}

/** What the numbers were taken on, and how busy it was. */
export function machine() {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    node: process.version,
    load1: Number(loadavg()[0]!.toFixed(2)),
  };
}

export const machineLine = (): string => {
  const { cpu, cores, node, load1 } = machine();
  return `${cpu}, ${cores} cores, Node ${node}, load average ${load1}`;
};

/** Markdown: the first row is the head, the first column text, the rest numbers. */
export function markdownTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(4, ...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(" | ")} |`;
  const rule = `| ${widths.map((w, i) => (i === 0 ? "-".repeat(w) : `${"-".repeat(w - 1)}:`)).join(" | ")} |`;
  return [line(rows[0]!), rule, ...rows.slice(1).map(line)].join("\n");
}

/** What every bench takes beside its own options. */
export const COMMON_OPTIONS = {
  quick: { type: "boolean", default: false },
  json: { type: "string" },
} as const;

export interface Report {
  /** Better is larger: plume's speed over a peer's, or over what the machine could do. Absent: the peer was missing. */
  readonly ratios: Readonly<Record<string, number | undefined>>;
  readonly results: unknown;
  /** Peers that were not there, and why. */
  readonly missing?: readonly string[];
}

/** Prints the ratios, and writes the whole report when a file is asked for. */
export function finish(name: string, file: string | undefined, { ratios, results, missing = [] }: Report): void {
  const known = Object.fromEntries(
    Object.entries(ratios).flatMap(([key, ratio]) => (ratio === undefined ? [] : [[key, Number(ratio.toFixed(3))]])),
  );
  for (const [key, ratio] of Object.entries(known)) console.log(`${key}: ${ratio.toFixed(2)}`);
  for (const reason of missing) console.log(`missing: ${reason}`);
  const report = { bench: name, machine: machine(), ratios: known, missing, results };
  if (file) writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
}

/** Debian's python3-torch lives in the system's Python; PLUME_PYTHON names another one. */
const PYTHON = process.env.PLUME_PYTHON ?? "/usr/bin/python3";

/** Runs test/bench/torch/<script>. @returns its JSON, or the reason why there is none. */
export function runTorch<R>(
  script: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  python = PYTHON,
): { readonly result: R } | { readonly missing: string } {
  if (spawnSync(python, ["-c", "import torch"]).status !== 0) return { missing: `${python} cannot import torch` };
  const file = join(ROOT, "test/bench/torch", script);
  const { status, stdout, stderr } = spawnSync(python, [file, ...args], {
    encoding: "utf8",
    env: { ...process.env, OMP_NUM_THREADS: "1", MKL_NUM_THREADS: "1", OPENBLAS_NUM_THREADS: "1", ...env },
  });
  const json = stdout.trim().split("\n").at(-1);
  if (status !== 0 || !json) return { missing: `${script} ended with ${status}: ${stderr.trim().split("\n").at(-1)}` };
  return { result: JSON.parse(json) as R };
}
