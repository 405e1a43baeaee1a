// Images of Fashion-MNIST, drawn by a checkpoint or given by anybody, as the judges see them beside real and bad ones.

import { BACKEND_CHOICES, type BackendName } from "../../../../shared/backends/backend.ts";
import { openBackend } from "../../../../shared/backends/index.ts";
import { JUDGE_SIDE, JUDGES } from "../../../../shared/eval/judge-network.ts";
import { ALL_METRIC_NAMES, type LabelledImages, METRIC_NAMES, METRICS } from "../../../../shared/eval/score.ts";
import type { ReadModel } from "../../../../shared/interop/load-model.ts";
import type { FrozenWeights } from "../../../../shared/pipeline/frozen.ts";
import type { CommandIo } from "../../action.ts";
import { chooseBackendFor } from "../../backend.ts";
import { oneOf } from "../../options.ts";
import { drawnFrom, generatedRows } from "./drawn.ts";
import { readImages } from "./images.ts";
import { MOST_IMAGES, openReal, openScorer, type RealImages, type Scorer, type Split } from "./real.ts";
import { LEARNED_LEGEND, LEGEND, type Row, rowJson, rowTable } from "./rows.ts";
import { checkImages, readStages, type StageName } from "./stages.ts";
import { tell, type Way } from "./ways.ts";

/** Fewer tell little. */
export const FEWEST = 100;

interface Asked {
  readonly backend: string | undefined;
  /** --train-judges */
  readonly learns: boolean;
  readonly split: Split;
}

/** A checkpoint, and how its images are drawn. */
interface Drawn {
  readonly checkpoint: string;
  readonly model: ReadModel;
  readonly classifier: FrozenWeights | undefined;
  readonly ways: readonly Way[];
  /** Images a seed. */
  readonly count: number;
  readonly seeds: readonly number[];
  readonly stages: readonly StageName[];
  readonly workers: number | undefined;
}

interface Given {
  readonly against: string;
  /** A file of them. */
  readonly labels: string | undefined;
}

/** At least one of both: what is given is compared with as many images as are drawn. */
export async function evaluateJudged(io: CommandIo, drawn: Drawn | null, given: Given | null, asked: Asked) {
  const { learns, split } = asked;
  if (drawn) checkImages(drawn.checkpoint, drawn.model, drawn.classifier);
  const real = await openReal(io.signal);
  const images =
    given &&
    atMost(
      io,
      await readImages(given.against, { labels: given.labels, classes: real.test.classes, signal: io.signal }),
    );
  const { name: backend } = await openBackend(
    drawn
      ? await chooseBackendFor(asked.backend, drawn.model.job)
      : oneOf("--backend", asked.backend ?? "auto", BACKEND_CHOICES),
  );
  const count = drawn?.count ?? sizeOf(images!);
  using scorer = await openScorer(real, { count, learns, split }, io.signal);
  const rows: Row[] = [];
  if (given) rows.push({ kind: "given", name: given.against, scores: [await scorer.score(images!)] });
  if (drawn) rows.push(...(await drawnRows(io, drawn, { scorer, backend, test: real.test, split })));
  for (const { kind, name, images } of scorer.rows) rows.push({ kind, name, scores: [await scorer.score(images)] });

  if (drawn) io.print(wordsOf(drawn));
  if (given) io.print(`${given.against}: ${sizeOf(images!)} images${images!.labels ? "" : ", without labels"}`);
  const metrics = learns ? ALL_METRIC_NAMES : METRIC_NAMES;
  io.print(rowTable(METRICS, rows, metrics));
  io.print(LEGEND);
  if (learns) io.print(LEARNED_LEGEND);
  io.result({
    count,
    ...(drawn && resultOf(drawn)),
    ...(given && { against: given.against, images: sizeOf(images!) }),
    judge: { features: JUDGES.features.sha256, labels: JUDGES.labels.sha256 },
    reference: { set: "fashion-mnist", split, images: MOST_IMAGES },
    rows: rows.map((row) => rowJson(METRICS, row, metrics)),
  });
}

/** What draws, and what judges. */
interface Judging extends Pick<RealImages, "test"> {
  readonly scorer: Scorer;
  readonly backend: BackendName;
  readonly split: Split;
}

async function drawnRows(
  io: CommandIo,
  { checkpoint, model, classifier, stages, ...how }: Drawn,
  { scorer, backend, test, split }: Judging,
): Promise<Row[]> {
  const { spec } = model.job;
  const { height, width, channels } = model.imageSet;
  const from = await drawnFrom(spec, classifier, { ...how, test, split });
  const weights = await readStages(checkpoint, model, stages);
  const drawing = {
    backend,
    model: { spec, image: { height, width, channels } },
    beside: { classifier },
    stages: weights,
  };
  return generatedRows(io, scorer.score, drawing, { ...how, from });
}

function wordsOf({ model: { job, weights }, ways, count, seeds }: Drawn): string {
  const how = ways.length === 1 ? `, ${tell(ways[0]!)}` : "";
  return `${job.metadata.name}, ${weights} weights: ${count} images a seed, seeds ${seeds.join(", ")}${how}`;
}

const resultOf = ({ checkpoint, model: { step, weights }, seeds }: Drawn) => ({ checkpoint, step, weights, seeds });

const sizeOf = ({ pixels }: LabelledImages): number => pixels.length / JUDGE_SIDE ** 2;

/** As many as there are real ones to compare with. */
function atMost(io: CommandIo, images: LabelledImages): LabelledImages {
  const n = sizeOf(images);
  if (n < FEWEST) io.note(`  ${n} images are few: compare them with the rows of as many real ones alone`);
  if (n <= MOST_IMAGES) return images;
  io.note(`  the first ${MOST_IMAGES} of ${n} images are scored`);
  return {
    pixels: images.pixels.subarray(0, MOST_IMAGES * JUDGE_SIDE ** 2),
    labels: images.labels?.subarray(0, MOST_IMAGES) ?? null,
  };
}
