// What is measured of a set of images against a reference of real ones, and the table of it.

import { klToUniform } from "./coverage.ts";
import { frechetDistance, type Gaussian, gaussianOf } from "./frechet.ts";
import type { Judges } from "./judge.ts";
import { JUDGE_CLASSES, JUDGE_SIDE } from "./judge-network.ts";
import { kernelDistance } from "./kernel-distance.ts";
import type { Learned } from "./learned.ts";
import { nearestDistances } from "./nearest.ts";
import { type Manifold, manifoldOf, precisionRecall } from "./precision-recall.ts";

export interface LabelledImages {
  /** uint8 [n, 28, 28, 1]. */
  readonly pixels: Uint8Array;
  /** What each is meant to show: int32 [n]; null where nobody said. */
  readonly labels: Int32Array | null;
}

/** What a set of images is measured by. */
export interface Examined {
  readonly labels: Int32Array | null;
  /** What the judge of labels sees: int32 [n]. */
  readonly classes: Int32Array;
  readonly gaussian: Gaussian;
  readonly manifold: Manifold;
  /** Distances to the nearest training image: float64 [n], ascending. */
  readonly nearest: Float64Array;
  /** Where classifiers were trained on them. */
  readonly learned?: Learned | undefined;
}

/** Kynkäänniemi et al. 2019 take the third neighbour. */
const NEIGHBOUR = 3;

/**
 * @param train uint8 pixels of all training images.
 * @param measured so many of the images have their distance to those computed.
 */
export function examine(
  judges: Judges,
  { pixels, labels }: LabelledImages,
  train: Uint8Array,
  measured = Number.POSITIVE_INFINITY,
): Examined {
  const size = JUDGE_SIDE * JUDGE_SIDE;
  const { features, classes } = judges.judge(pixels);
  return {
    labels,
    classes,
    gaussian: gaussianOf(features),
    manifold: manifoldOf(features, NEIGHBOUR),
    nearest: nearestDistances(pixels.subarray(0, Math.min(pixels.length, measured * size)), train, size).sort(),
  };
}

interface Metric {
  /** As a column is headed. */
  readonly heading: string;
  readonly digits: number;
  /** Of a classifier that is trained for it, which takes seconds. */
  readonly learns?: true;
  /** null where it cannot be told. */
  of(images: Examined, reference: Examined): number | null;
}

const quantile = (ascending: Float64Array, q: number): number => ascending[Math.floor(q * (ascending.length - 1))]!;

function histogramOf(values: Int32Array, n: number): number[] {
  const counts: number[] = new Array(n).fill(0);
  for (const value of values) counts[value]!++;
  return counts;
}

/** Distances by features name whose: "judge-64" is the judge of features, with its 64. */
export const METRICS = {
  accuracy: {
    heading: "class accuracy",
    digits: 3,
    of: ({ labels, classes }) => labels && labels.filter((label, i) => label === classes[i]).length / labels.length,
  },
  frechet: {
    heading: "Fréchet, judge-64",
    digits: 1,
    of: (images, reference) => frechetDistance(images.gaussian, reference.gaussian),
  },
  kid: {
    heading: "kernel distance, judge-64",
    digits: 3,
    of: (images, reference) => kernelDistance(images.manifold.rows, reference.manifold.rows),
  },
  precision: {
    heading: "precision",
    digits: 3,
    of: (images, reference) => precisionRecall(reference.manifold, images.manifold).precision,
  },
  recall: {
    heading: "recall",
    digits: 3,
    of: (images, reference) => precisionRecall(reference.manifold, images.manifold).recall,
  },
  classKl: {
    heading: "KL of classes",
    digits: 3,
    of: ({ classes }) => klToUniform(histogramOf(classes, JUDGE_CLASSES)),
  },
  nearest: {
    heading: "nearest training image",
    digits: 2,
    of: ({ nearest }) => quantile(nearest, 0.5),
  },
  copies: {
    heading: "copies",
    digits: 3,
    of({ nearest }, reference) {
      const closest = quantile(reference.nearest, 0.01);
      return nearest.filter((distance) => distance < closest).length / nearest.length;
    },
  },
  cas: {
    heading: "classification accuracy score",
    digits: 3,
    learns: true,
    of: ({ learned }) => learned?.classificationAccuracy ?? null,
  },
  twoSample: {
    heading: "two-sample accuracy",
    digits: 3,
    learns: true,
    of: ({ learned }) => learned?.twoSample ?? null,
  },
} satisfies Record<string, Metric>;

export type MetricName = keyof typeof METRICS;
export type Score = Readonly<Record<MetricName, number | null>>;

const ALL = Object.entries<Metric>(METRICS) as readonly [MetricName, Metric][];

/** Of the frozen judges. */
export const METRIC_NAMES: readonly MetricName[] = ALL.flatMap(([name, { learns }]) => (learns ? [] : [name]));
/** Of classifiers that are trained for it, too. */
export const ALL_METRIC_NAMES: readonly MetricName[] = ALL.map(([name]) => name);

export const score = (images: Examined, reference: Examined): Score =>
  Object.fromEntries(ALL.map(([name, metric]) => [name, metric.of(images, reference)])) as Score;
