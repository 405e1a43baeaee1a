// Images of every stage, way and seed, drawn by processes that are opened once for all of them, and what they score.

import type { JobSpec } from "../../../../shared/config/schema.ts";
import type { ImageSet } from "../../../../shared/data/image-set.ts";
import type { LabelledImages } from "../../../../shared/eval/score.ts";
import type { FrozenWeights } from "../../../../shared/pipeline/frozen.ts";
import { gridLabels } from "../../../../shared/pipeline/generate.ts";
import { type LowResImages, shrunk } from "../../../../shared/pipeline/low-res.ts";
import { shownClasses } from "../../../../shared/pipeline/tiles.ts";
import type { CommandIo } from "../../action.ts";
import { drawerBatches } from "../../drawing/batches.ts";
import type { Drawing } from "../../drawing/messages.ts";
import { openPool } from "../../drawing/pool.ts";
import { createImageProgress } from "../../drawing/progress.ts";
import { drawersFor } from "../../drawing/workers.ts";
import { besideOf, type Split } from "./real.ts";
import type { Row } from "./rows.ts";
import type { Stage } from "./stages.ts";
import { tell, type Way } from "./ways.ts";

/** What images are drawn from: all classes in turn; of an upsampler, test images that are not the reference, shrunk. */
interface DrawnFrom {
  /** Null without classes. */
  readonly labels: Int32Array | null;
  readonly lowRes: LowResImages | undefined;
}

/** All classes in turn: int32 [count]; null where none are shown. */
export function labelsInTurn(count: number, spec: JobSpec, classifier: FrozenWeights | undefined): Int32Array | null {
  const indices = Array.from({ length: count }, (_, k) => k);
  const labels = gridLabels(indices, shownClasses(spec, classifier));
  return labels && Int32Array.from(labels);
}

export async function drawnFrom(
  spec: JobSpec,
  classifier: FrozenWeights | undefined,
  { count, test, split }: { readonly count: number; readonly test: ImageSet; readonly split: Split },
): Promise<DrawnFrom> {
  const { model, sampling } = spec;
  const { lowRes } = model;
  if (!lowRes) return { labels: labelsInTurn(count, spec, classifier), lowRes: undefined };
  const { pixels, labels } = await test.read(Array.from({ length: count }, (_, k) => besideOf(split) + k));
  return { labels, lowRes: { pixels: shrunk(pixels, test, lowRes.size), noise: sampling.lowResNoise } };
}

interface Asked {
  /** Images a seed. */
  readonly count: number;
  readonly seeds: readonly number[];
  readonly ways: readonly Way[];
  readonly from: DrawnFrom;
  /** Processes that draw; absent, as many as there are cores. */
  readonly workers: number | undefined;
}

type Scored<N extends string> = Row<N>["scores"][number];

/** One a stage and way. @param score of the images of a seed. */
export async function generatedRows<N extends string>(
  { signal }: CommandIo,
  score: (images: LabelledImages) => Promise<Scored<N>>,
  { stages, ...drawing }: Drawing & { readonly stages: readonly Stage[] },
  { count, seeds, ways, from, workers }: Asked,
): Promise<Row<N>[]> {
  const { labels, lowRes } = from;
  const labelsOf = (indices: readonly number[]) => labels && indices.map((k) => labels[k]!);
  const { image } = drawing.model;
  const batches = (way: Way, seed: number) => drawerBatches({ ...way, seed, count, labelsOf, lowRes }, image);
  const most = batches(ways[0]!, seeds[0]!).length;
  using pool = await openPool(drawersFor(workers, drawing.backend, most), drawing, signal);
  const progress = createImageProgress(process.stderr, stages.length * ways.length * seeds.length * count, Date.now);
  const rows: Row<N>[] = [];
  let before = 0;
  try {
    for (const { name: stage, step, flat } of stages) {
      await pool.load(flat);
      for (const way of ways) {
        const name = `${stage}, step ${step}${ways.length > 1 ? `: ${tell(way)}` : ""}`;
        const scores: Scored<N>[] = [];
        let [evaluations, seconds] = [0, 0];
        for (const seed of seeds) {
          const onProgress = (images: number) => progress.show(before + images, name);
          const began = performance.now();
          const drawn = await pool.draw(batches(way, seed), onProgress);
          seconds += (performance.now() - began) / 1000 / seeds.length;
          evaluations += drawn.evaluations / (seeds.length * count);
          scores.push(await score({ pixels: drawn.pixels, labels }));
          before += count;
        }
        rows.push({ kind: "generated", name, scores, drawn: { step, ...way, evaluations, seconds } });
      }
    }
  } finally {
    progress.end();
  }
  return rows;
}
