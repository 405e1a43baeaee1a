// One system, trained with each seed and measured: everything that its page is made of.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { PlumeError } from "../../shared/errors.ts";
import { type RunRecord, readRun } from "../../shared/report/read-run.ts";
import { ROOT } from "../../shared/root.ts";
import type { Bench } from "./article/section.ts";
import { answer, plume } from "./command.ts";
import type { Evaluation, Row } from "./measures/evaluation.ts";
import { type MeasureName, measureKind } from "./measures/index.ts";
import type { MeasureAsked } from "./measures/kind.ts";
import type { Sweep, System } from "./systems.ts";

export interface ZooOptions extends Omit<MeasureAsked, "seed"> {
  /** Folder of all runs and pages. */
  readonly out: string;
  /** Of training; the noise of the images has the same. */
  readonly seeds: readonly number[];
  /** Images a point of a curve. */
  readonly sweepCount: number;
  /** Passed on to `plume train`. */
  readonly set: readonly string[];
  readonly signal: AbortSignal;
  say(line: string): void;
}

/** A row, and the curve that it is a point of. */
export type Point = Row & { readonly curve: string };

export interface Measured {
  readonly name: string;
  readonly system: System;
  readonly seeds: readonly number[];
  readonly runs: readonly RunRecord[];
  /** Of each kind one a seed. */
  readonly answers: ReadonlyMap<MeasureName, readonly unknown[]>;
  readonly sweeps: readonly { readonly sweep: Sweep; readonly points: readonly Point[]; readonly count: number }[];
}

export interface Zoo {
  readonly bench: Bench;
  measure(name: string): Promise<Measured>;
}

/** @param systems by name, as `needs` has them. */
export function openZoo(systems: Readonly<Record<string, System>>, options: ZooOptions): Zoo {
  const systemOf = (name: string) => systems[name]!;
  const { out, seeds, sweepCount, signal, say } = options;
  const folderOf = (name: string, seed: number) => join(out, name, `seed-${seed}`);
  const answersOf = (name: string, seed: number) => join(folderOf(name, seed), "zoo");
  const runs = new Map<string, Promise<RunRecord>>();

  /** With the models that its job names, each once. */
  function trained(name: string, seed: number): Promise<RunRecord> {
    const folder = folderOf(name, seed);
    if (!runs.has(folder)) runs.set(folder, train(name, seed, folder));
    return runs.get(folder)!;
  }

  async function train(name: string, seed: number, folder: string): Promise<RunRecord> {
    const { job, set = [], needs = {} } = systemOf(name);
    const fields = [`seed=${seed}`, ...set];
    for (const [model, needed] of Object.entries(needs)) {
      await trained(needed, seed);
      fields.push(`models.${model}.from=file://${folderOf(needed, seed)}`);
    }
    say(`${name}: training with seed ${seed}`);
    const file = join(ROOT, "deploy/jobs", `${job}.yaml`);
    const flags = [...fields, ...options.set].flatMap((field) => ["--set", field]);
    const before = existsSync(folder) ? await readRun(folder) : null;
    if (before && isDivergence(before)) return before;
    try {
      await plume(["train", "-f", file, "--out", folder, ...flags], signal);
    } catch (error) {
      if (!isDivergence(await readRun(folder))) throw error;
      say(`${name}: diverged with seed ${seed}`);
    }
    return readRun(folder);
  }

  async function asked<A>(
    name: string,
    seed: number,
    what: string,
    args: (folder: string) => readonly string[],
  ): Promise<A> {
    const { outcome, reason, summary } = await trained(name, seed);
    const folder = folderOf(name, seed);
    if (!summary)
      throw new PlumeError("FAILED_PRECONDITION", `${folder} is ${outcome}: ${reason}`, {
        remedy: "mend what it says, take its folder away and start the zoo again",
      });
    say(`${name}: measuring seed ${seed}, ${what}`);
    return answer<A>(join(answersOf(name, seed), `${what}.json`), args(folder), summary.emaSha256, signal);
  }

  async function pointsOf(name: string, sweep: Sweep, k: number): Promise<Point[]> {
    const [seed] = seeds as [number, ...number[]];
    const { rows } = await asked<Evaluation>(name, seed, `sweep-${k}`, (folder) => [
      ...["eval", folder, "--seeds", String(seed), "--count", String(sweepCount)],
      ...["--stages", "final", ...lists(sweep)],
    ]);
    return rows
      .filter(({ kind }) => kind === "generated")
      .map((row) => ({ ...row, curve: sweep.curve ?? row.sampler! }));
  }

  /** Those of other systems that run over the same. */
  async function beside(name: string, by: Sweep["by"]): Promise<Point[]> {
    const { title, sweeps = [] } = systemOf(name);
    const points = [];
    for (const [k, sweep] of sweeps.entries())
      if (sweep.by === by) points.push(...(await pointsOf(name, { curve: title, ...sweep }, k)));
    return points;
  }

  return {
    bench: { ...options, systemOf, trained, asked, answersOf },
    async measure(name) {
      const system = systemOf(name);
      const answers = new Map<MeasureName, unknown[]>(system.measures.map((measure) => [measure, []]));
      const own = [];
      for (const seed of seeds) {
        own.push(await trained(name, seed));
        for (const [measure, said] of answers) {
          const { args } = measureKind(measure);
          said.push(await asked(name, seed, measure, (folder) => args(folder, { ...options, seed })));
        }
      }
      const sweeps = [];
      for (const [k, sweep] of (system.sweeps ?? []).entries()) {
        say(`${name}: ${sweep.title.toLowerCase()}`);
        const points = await pointsOf(name, sweep, k);
        for (const other of sweep.beside ?? []) points.push(...(await beside(other, sweep.by)));
        sweeps.push({ sweep, points, count: sweepCount });
      }
      return { name, system, seeds, runs: own, answers, sweeps };
    },
  };
}

/** Of a run that failed: by its own numbers, and by nothing that could be mended. */
const isDivergence = ({ outcome, reason }: RunRecord): boolean => outcome === "failed" && /not finite/.test(reason);

const lists = ({ sampler, steps, guidance, classifierScale }: Sweep): readonly string[] =>
  Object.entries({ sampler, steps, guidance, "classifier-scale": classifierScale }).flatMap(([field, values]) =>
    values ? [`--${field}`, values.join(",")] : [],
  );
