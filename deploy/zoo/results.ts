// The zoo in numbers: of each kind of measuring a table of all systems that have it.

import { seconds } from "../../shared/report/numbers.ts";
import type { RunRecord } from "../../shared/report/read-run.ts";
import { meanOf } from "../../shared/spread.ts";
import type { Measured } from "./measure.ts";
import { MEASURE_NAMES, type MeasureName, measureKind } from "./measures/index.ts";
import type { Answered } from "./measures/kind.ts";
import { spread } from "./spread-text.ts";

/** Of all steps of a run, whoever computed them and when. */
export const secondsOf = ({ steps }: Pick<RunRecord, "steps">): number =>
  steps.reduce((sum, { seconds: { total } }) => sum + (Number.isFinite(total) ? total : 0), 0);

/** Those seconds, and images of them a second. */
export function costOf({ runs }: Measured): readonly string[] {
  const costs = runs.map((run) => {
    const spent = secondsOf(run);
    return { spent, rate: ((run.job?.spec.training.globalBatch ?? 0) * run.steps.length) / spent };
  });
  return [
    seconds(meanOf(costs.map(({ spent }) => spent))),
    spread(
      costs.map(({ rate }) => rate),
      0,
    ),
  ];
}

export const answered = (measured: Measured, measure: MeasureName): Answered<unknown> => ({
  name: measured.name,
  system: measured.system,
  seeds: measured.seeds,
  answers: measured.answers.get(measure) ?? [],
  cost: costOf(measured),
});

interface Results {
  readonly title: string;
  readonly note: string;
  /** The head first; names stand in the first column. */
  readonly rows: readonly (readonly string[])[];
}

export function resultsOf(all: readonly Measured[]): Results[] {
  return MEASURE_NAMES.flatMap((measure) => {
    const { title, note, compare } = measureKind(measure);
    const having = all.filter(({ answers }) => answers.has(measure));
    return having.length === 0 ? [] : [{ title, note, rows: compare(having.map((each) => answered(each, measure))) }];
  });
}

/** For a README. */
export function resultsText(all: readonly Measured[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return resultsOf(all)
    .map(({ title, rows: [head, ...rows] }) =>
      [`${title}:`, "", line(head!), line(head!.map(() => "---")), ...rows.map(line)].join("\n"),
    )
    .join("\n\n");
}
