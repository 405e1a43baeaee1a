// One system, trained with each seed and measured: everything that its page is made of.

import { join } from "node:path";
import type { MetricName } from "../../shared/eval/score.ts";
import { type RunRecord, readRun } from "../../shared/report/read-run.ts";
import { ROOT } from "../../shared/root.ts";
import { answer, plume } from "./command.ts";
import type { Sweep, System } from "./systems.ts";

/** A row of `plume eval --json`. */
export interface Row {
  readonly kind: "generated" | "given" | "real" | "anchor";
  readonly name: string;
  readonly sampler?: string;
  readonly steps?: number;
  readonly guidance?: number;
  readonly step?: number;
  readonly evaluations?: number;
  readonly metrics: Readonly<Record<MetricName, { readonly mean: number } | null>>;
}

interface Evaluation {
  readonly count: number;
  readonly rows: readonly Row[];
}

export interface ZooOptions {
  /** Folder of all runs and pages. */
  readonly out: string;
  /** Of training; the noise of the images has the same. */
  readonly seeds: readonly number[];
  /** Images a row of the table, and a point of a curve. */
  readonly count: number;
  readonly sweepCount: number;
  /** Passed on to `plume train`. */
  readonly set: readonly string[];
  readonly signal: AbortSignal;
  say(line: string): void;
}

export interface Measured {
  readonly name: string;
  readonly system: System;
  readonly seeds: readonly number[];
  readonly runs: readonly RunRecord[];
  /** One a seed. */
  readonly evaluations: readonly Evaluation[];
  readonly sweeps: readonly { readonly sweep: Sweep; readonly rows: readonly Row[]; readonly count: number }[];
}

export async function measure(name: string, system: System, options: ZooOptions): Promise<Measured> {
  const { out, seeds, count, sweepCount, signal, say } = options;
  const folder = (seed: number) => join(out, name, `seed-${seed}`);
  const runs: RunRecord[] = [];
  const evaluations: Evaluation[] = [];
  for (const seed of seeds) {
    say(`${name}: training with seed ${seed}`);
    await plume(
      ["train", "-f", join(ROOT, "deploy/jobs", `${system.job}.yaml`), ...fields(seed, folder(seed), options)],
      signal,
    );
    const run = await readRun(folder(seed));
    runs.push(run);
    say(`${name}: measuring seed ${seed}`);
    const how = ["--seeds", String(seed), "--count", String(count)];
    evaluations.push(
      await answer(join(folder(seed), "zoo/eval.json"), ["eval", folder(seed), ...how], weightsOf(run), signal),
    );
  }
  const sweeps = [];
  for (const [k, sweep] of (system.sweeps ?? []).entries()) {
    say(`${name}: ${sweep.title.toLowerCase()}`);
    const [seed, run] = [seeds[0]!, runs[0]!];
    const args = ["eval", folder(seed), "--seeds", String(seed), "--count", String(sweepCount), "--stages", "final"];
    const file = join(folder(seed), `zoo/sweep-${k}.json`);
    const { rows } = await answer<Evaluation>(file, [...args, ...lists(sweep)], weightsOf(run), signal);
    sweeps.push({ sweep, rows: rows.filter(({ kind }) => kind === "generated"), count: sweepCount });
  }
  return { name, system, seeds, runs, evaluations, sweeps };
}

const fields = (seed: number, out: string, { set }: ZooOptions): readonly string[] => [
  "--out",
  out,
  ...[`seed=${seed}`, ...set].flatMap((field) => ["--set", field]),
];

const weightsOf = ({ summary }: RunRecord): string => summary?.emaSha256 ?? "";

const lists = ({ sampler, steps, guidance }: Sweep): readonly string[] =>
  Object.entries({ sampler, steps, guidance }).flatMap(([field, values]) =>
    values ? [`--${field}`, values.join(",")] : [],
  );
