// Images of every stage, way and seed, drawn by processes that are opened once for all of them, and what they score.

import { JUDGE_CLASSES } from "../../../../shared/eval/judge-network.ts";
import { gridLabels } from "../../../../shared/pipeline/generate.ts";
import { batchesOf } from "../../../../shared/pipeline/tiles.ts";
import type { CommandIo } from "../../action.ts";
import type { DrawerWanted, Drawing } from "../../drawing/messages.ts";
import { openPool } from "../../drawing/pool.ts";
import { createImageProgress } from "../../drawing/progress.ts";
import { drawersFor } from "../../drawing/workers.ts";
import type { Scorer } from "./real.ts";
import type { Row } from "./rows.ts";
import type { Stage } from "./stages.ts";
import { tell, type Way } from "./ways.ts";

/** Images computed together: bounds the memory; what comes out does not depend on it. */
const BATCH = 8;

interface Asked {
  /** Images a seed. */
  readonly count: number;
  readonly seeds: readonly number[];
  readonly ways: readonly Way[];
  /** Processes that draw; absent, as many as there are cores. */
  readonly workers: number | undefined;
}

/** One a stage and way, of all classes in turn. */
export async function generatedRows(
  { signal }: CommandIo,
  scorer: Scorer,
  { stages, ...drawing }: Drawing & { readonly stages: readonly Stage[] },
  { count, seeds, ways, workers }: Asked,
): Promise<Row[]> {
  const cut = batchesOf(count, BATCH);
  const labels = Int32Array.from(gridLabels(cut.flat(), JUDGE_CLASSES)!);
  const batches = (way: Way, seed: number): DrawerWanted[] =>
    cut.map((indices) => ({ ...way, seed, indices, labels: gridLabels(indices, JUDGE_CLASSES) }));
  using pool = await openPool(drawersFor(workers, drawing.backend, cut.length), drawing, signal);
  const progress = createImageProgress(process.stderr, stages.length * ways.length * seeds.length * count, Date.now);
  const rows: Row[] = [];
  let before = 0;
  try {
    for (const { name: stage, step, flat } of stages) {
      await pool.load(flat);
      for (const way of ways) {
        const name = `${stage}, step ${step}${ways.length > 1 ? `: ${tell(way)}` : ""}`;
        const scores = [];
        let evaluations = 0;
        for (const seed of seeds) {
          const onProgress = (images: number) => progress.show(before + images, name);
          const drawn = await pool.draw(batches(way, seed), onProgress);
          evaluations += drawn.evaluations / (seeds.length * count);
          scores.push(await scorer.score({ pixels: drawn.pixels, labels }));
          before += count;
        }
        rows.push({ kind: "generated", name, scores, drawn: { step, ...way, evaluations } });
      }
    }
  } finally {
    progress.end();
  }
  return rows;
}
