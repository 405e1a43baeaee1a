// What is told of each set of images: the mean over its seeds, and how far they lie apart.

import { JUDGES } from "../../../../shared/eval/judge-network.ts";
import { METRIC_NAMES, METRICS, type MetricName, type Score } from "../../../../shared/eval/score.ts";
import { table } from "../../table.ts";

export interface Row {
  readonly kind: "generated" | "given" | "real" | "anchor";
  readonly name: string;
  /** Of generated images. */
  readonly step?: number;
  /** Of the classifier that guided them. */
  readonly classifierScale?: number;
  /** One a seed; one alone where nothing was drawn. */
  readonly scores: readonly Score[];
}

interface Summary {
  readonly mean: number;
  /** With n - 1; null of one value. */
  readonly std: number | null;
  readonly values: readonly number[];
}

function summarise({ scores }: Row, metric: MetricName): Summary | null {
  const values = scores.map((each) => each[metric]).filter((value) => value !== null);
  if (values.length === 0) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, std: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : null, values };
}

export function rowJson(row: Row) {
  const { scores: _, ...named } = row;
  return { ...named, metrics: Object.fromEntries(METRIC_NAMES.map((metric) => [metric, summarise(row, metric)])) };
}

export function rowTable(rows: readonly Row[]): string {
  const cell = (row: Row, metric: MetricName): string => {
    const found = summarise(row, metric);
    const { digits } = METRICS[metric];
    if (!found) return "-";
    return found.mean.toFixed(digits) + (found.std === null ? "" : ` ± ${found.std.toFixed(digits)}`);
  };
  return table([
    ["images", ...METRIC_NAMES.map((metric) => METRICS[metric].heading)],
    ...rows.map((row) => [row.name, ...METRIC_NAMES.map((metric) => cell(row, metric))]),
  ]);
}

export const LEGEND = `judge-64: the 64 features of plume's own judge, trained on Fashion-MNIST's training images alone (sha256 ${JUDGES.features.sha256.slice(0, 12)}):
  no FID, and comparable with this judge's numbers only, at the same number of images. class accuracy: by a second judge of
  another architecture and seed (${JUDGES.labels.sha256.slice(0, 12)}). nearest training image: the median distance, pixels from 0 to 1. copies: the
  share that lies nearer to a training image than 99 of 100 test images do.`;
