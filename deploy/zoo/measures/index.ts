// The table of what systems are measured by.

import { bound } from "./bound.ts";
import { captions } from "./captions.ts";
import { coverage } from "./coverage.ts";
import { evaluation } from "./evaluation.ts";
import type { MeasureKind } from "./kind.ts";
import { likelihood } from "./likelihood.ts";
import { noised } from "./noised.ts";
import { drawnEmbeddings, retrieval } from "./retrieval.ts";

const MEASURES = {
  ...{ eval: evaluation, likelihood, noised, bound, coverage, captions, retrieval },
  embeddings: drawnEmbeddings,
} satisfies Record<string, MeasureKind>;

export type MeasureName = keyof typeof MEASURES;

export const MEASURE_NAMES = Object.keys(MEASURES) as readonly MeasureName[];

export const measureKind = (name: MeasureName): MeasureKind => MEASURES[name];
