// `plume eval` of points of the grid of Gaussians: how many of its modes are covered, and how evenly.

import type { BackendName } from "../../../../shared/backends/backend.ts";
import { openImageSet } from "../../../../shared/data/open.ts";
import { centreOf, GRID, pointsOf } from "../../../../shared/data/sources/gaussian-grid.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import { noise } from "../../../../shared/eval/anchors.ts";
import { coverageOf, gridCentres } from "../../../../shared/eval/coverage.ts";
import type { ReadModel } from "../../../../shared/interop/load-model.ts";
import type { FrozenWeights } from "../../../../shared/pipeline/frozen.ts";
import type { CommandIo } from "../../action.ts";
import { generatedRows, labelsInTurn } from "./drawn.ts";
import { type Row, rowJson, rowTable } from "./rows.ts";
import { readStages, type StageName } from "./stages.ts";
import { tell, type Way } from "./ways.ts";

/** As the field has it. */
const COUNT = 2500;
const OPTIONS = { centres: gridCentres(GRID.side, centreOf), std: GRID.std, within: 3 };

const METRICS = {
  modes: { heading: `modes of ${GRID.side ** 2}`, digits: 1 },
  highQuality: { heading: "high quality", digits: 3 },
  klToUniform: { heading: "KL to uniform", digits: 3 },
};
type MetricName = keyof typeof METRICS;

const LEGEND = `modes: centres with a point within ${OPTIONS.within} standard deviations. high quality: the share of points that lie so near to one.
  KL to uniform: of how many points each mode has, in nats; 0 where all have as many. Points have 255 values an axis.`;

export const isGrid = ({ imageSet }: Pick<ReadModel, "imageSet">): boolean =>
  imageSet.name.startsWith("gaussian-grid:");

export interface CoverageAsked {
  /** Points a seed; as many as the field draws when absent. */
  readonly count: number | undefined;
  readonly seeds: readonly number[];
  readonly stages: readonly StageName[];
  readonly ways: readonly Way[];
  readonly backend: BackendName;
  readonly classifier: FrozenWeights | undefined;
  /** Processes that draw; absent, as many as there are cores. */
  readonly workers: number | undefined;
}

function score(pixels: Uint8Array) {
  const { modes, highQuality, klToUniform } = coverageOf({ values: pointsOf(pixels), d: 2 }, OPTIONS);
  return { modes, highQuality, klToUniform };
}

export async function evaluateCoverage(
  io: CommandIo,
  checkpoint: string,
  model: ReadModel,
  { count = COUNT, backend, classifier, ...asked }: CoverageAsked,
): Promise<undefined> {
  const { job, step, weights } = model;
  const { height, width, channels } = model.imageSet;
  const stages = await readStages(checkpoint, model, asked.stages);
  const drawn = { spec: job.spec, image: { height, width, channels } };
  const from = { labels: labelsInTurn(count, job.spec, classifier), lowRes: undefined };
  const drawing = { backend, model: drawn, beside: { classifier }, stages };
  const rows: Row<MetricName>[] = [
    ...(await generatedRows(io, async ({ pixels }) => score(pixels), drawing, { ...asked, count, from })),
    { kind: "real", name: "other points of the grid", scores: [score(await realPixels(model, count, io.signal))] },
    { kind: "anchor", name: "noise", scores: [score(noise(2 * count, 0))] },
  ];
  const how = asked.ways.length === 1 ? `, ${tell(asked.ways[0]!)}` : "";
  io.print(`${job.metadata.name}, ${weights} weights: ${count} points a seed, seeds ${asked.seeds.join(", ")}${how}`);
  io.print(rowTable(METRICS, rows));
  io.print(LEGEND);
  io.result({ count, checkpoint, step, weights, seeds: asked.seeds, rows: rows.map((row) => rowJson(METRICS, row)) });
  return undefined;
}

async function realPixels({ job }: ReadModel, count: number, signal: AbortSignal): Promise<Uint8Array> {
  await using set = closing(await openImageSet(job.spec.data, { split: "test", signal }));
  if (set.size < count)
    throw new PlumeError("INVALID_ARGUMENT", `--count ${count} is above the ${set.size} points of ${set.name}`, {
      remedy: `use at most --count ${set.size}`,
    });
  const { pixels } = await set.read(
    Array.from({ length: count }, (_, k) => k),
    signal,
  );
  return pixels;
}

const closing = <Set extends { close(): Promise<void> }>(set: Set) => ({
  ...set,
  [Symbol.asyncDispose]: () => set.close(),
});
