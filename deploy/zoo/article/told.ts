// What several claims say of systems: their figures over seeds, as cells.

import type { MetricName } from "../../../shared/eval/score.ts";
import { type Evaluation, evaluation, type Row } from "../measures/evaluation.ts";
import { spread } from "../spread-text.ts";
import type { Bench } from "./section.ts";

/** Which real images the rest are compared with. */
export type Split = "test" | "validation";

/** What `plume eval` says of a run's last weights; null for a run that failed. */
export async function judged(
  bench: Bench,
  name: string,
  seed: number,
  split: Split = "test",
): Promise<Evaluation | null> {
  const { outcome } = await bench.trained(name, seed);
  if (outcome === "failed") return null;
  const more = ["--stages", "final", "--split", split];
  return bench.asked<Evaluation>(name, seed, `final-${split}`, (folder) => [
    ...evaluation.args(folder, { ...bench, seed }),
    ...more,
  ]);
}

export const generated = ({ rows }: Evaluation): Row => rows.find(({ kind }) => kind === "generated")!;

export const figureOf = (row: Row, metric: MetricName): number => row.metrics[metric]?.mean ?? Number.NaN;

/** Over rows of several seeds. */
export const cell = (rows: readonly Row[], metric: MetricName, digits = 3): string =>
  spread(rows.map((row) => figureOf(row, metric)).filter(Number.isFinite), digits);
