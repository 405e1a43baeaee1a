// What is told of each set of images: the mean over its seeds, and how far they lie apart.

import { JUDGES } from "../../../../shared/eval/judge-network.ts";
import type { MetricName } from "../../../../shared/eval/score.ts";
import { type Spread, spreadOf } from "../../../../shared/spread.ts";
import { table } from "../../table.ts";
import type { Way } from "./ways.ts";

/** What is measured, by name. */
type Columns<N extends string> = Readonly<Record<N, { readonly heading: string; readonly digits: number }>>;

export interface Row<N extends string = MetricName> {
  readonly kind: "generated" | "given" | "real" | "anchor";
  readonly name: string;
  /** Of generated images. */
  readonly drawn?: Way & {
    readonly step: number;
    /** Of the network, an image. */
    readonly evaluations: number;
    /** That drawing a seed's images took, with all processes. */
    readonly seconds: number;
  };
  /** One a seed; one alone where nothing was drawn. */
  readonly scores: readonly Readonly<Record<N, number | null>>[];
}

interface Summary extends Spread {
  readonly values: readonly number[];
}

function summarise<N extends string>({ scores }: Row<N>, metric: N): Summary | null {
  const values = scores.map((each) => each[metric]).filter((value) => value !== null);
  return values.length === 0 ? null : { ...spreadOf(values), values };
}

const namesOf = <N extends string>(columns: Columns<N>) => Object.keys(columns) as N[];

/** @param names of the columns, where not all are meant. */
export function rowJson<N extends string>(columns: Columns<N>, row: Row<N>, names: readonly N[] = namesOf(columns)) {
  const { scores: _, drawn, ...named } = row;
  return {
    ...named,
    ...drawn,
    metrics: Object.fromEntries(names.map((metric) => [metric, summarise(row, metric)])),
  };
}

export function rowTable<N extends string>(
  columns: Columns<N>,
  rows: readonly Row<N>[],
  names: readonly N[] = namesOf(columns),
): string {
  const cell = (row: Row<N>, metric: N): string => {
    const found = summarise(row, metric);
    const { digits } = columns[metric];
    if (!found) return "-";
    return found.mean.toFixed(digits) + (found.std === null ? "" : ` ± ${found.std.toFixed(digits)}`);
  };
  return table([
    ["images", ...names.map((metric) => columns[metric].heading), "evaluations"],
    ...rows.map((row) => [
      row.name,
      ...names.map((metric) => cell(row, metric)),
      row.drawn ? String(Math.round(10 * row.drawn.evaluations) / 10) : "-",
    ]),
  ]);
}

export const LEGEND = `judge-64: the 64 features of plume's own judge, trained on Fashion-MNIST's training images alone (sha256 ${JUDGES.features.sha256.slice(0, 12)}):
  no FID, and comparable with this judge's numbers only, at the same number of images. class accuracy: by a second judge of
  another architecture and seed (${JUDGES.labels.sha256.slice(0, 12)}). KL of classes: of how many it sees of each, from equal numbers, in nats. nearest training
  image: the median distance, pixels from 0 to 1. copies: the share that lies nearer to a training image than 99 of 100 test
  images do. evaluations: of the network, an image.`;

export const LEARNED_LEGEND = `classification accuracy score: the share of real test images that a classifier names rightly which was trained on the
  images of the row alone, under the labels that they were asked for. two-sample accuracy: how often one tells them from real
  ones, of which it saw half: 0.5 is the goal, give or take 1 / (2 sqrt n) for n images of a row.`;
