// Whether what a model draws of captions is what they say: of captions that it was not trained on, and of those with pairs of colour
// and shape that no picture of its training has.

import type { BackendName } from "../../../../shared/backends/backend.ts";
import { openScenes, SCENES_HELD_OUT } from "../../../../shared/data/sources/captions.ts";
import { isOfScenes } from "../../../../shared/data/sources/index.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import { type CaptionScore, scoreCaptions, shuffledCaptions } from "../../../../shared/eval/caption-match.ts";
import { flatOf, type ReadModel } from "../../../../shared/interop/load-model.ts";
import { type Spread, spreadOf } from "../../../../shared/spread.ts";
import type { CommandIo } from "../../action.ts";
import { drawerBatches } from "../../drawing/batches.ts";
import { openPool } from "../../drawing/pool.ts";
import { createImageProgress } from "../../drawing/progress.ts";
import { drawersFor } from "../../drawing/workers.ts";
import { table } from "../../table.ts";
import type { Decoding } from "../sample/prior.ts";
import { readTextFor } from "../sample/prompt.ts";
import { tell, type Way } from "./ways.ts";

const COUNT = 200;

interface Asked {
  readonly count: number | undefined;
  readonly seeds: readonly number[];
  readonly ways: readonly Way[];
  readonly backend: BackendName;
  /** Of a decoder of CLIP's embeddings: its clip, and what draws them; of codes: their dvae. */
  readonly decoding: Decoding;
  /** Processes that draw; absent, as many as there are cores. */
  readonly workers: number | undefined;
}

interface Row {
  readonly name: string;
  readonly split: (typeof SCENES_HELD_OUT)[number];
  /** One a seed: under its own captions, and under those of others. */
  readonly scores: readonly { readonly own: CaptionScore; readonly shuffled: CaptionScore }[];
}

export async function evaluateCaptions(
  io: CommandIo,
  checkpoint: string,
  model: ReadModel,
  { count = COUNT, seeds, ways, backend, workers, decoding }: Asked,
): Promise<undefined> {
  const { job, step, weights, imageSet } = model;
  checkOfScenes(checkpoint, job.spec.data.source);
  const { height: side } = imageSet;
  const image = { height: side, width: side, channels: 3 };
  const batches = (captions: readonly string[], way: Way, seed: number, pictures?: Uint8Array) => {
    const captionsOf = (indices: readonly number[]) => indices.map((k) => captions[k]!);
    return drawerBatches({ ...way, seed, count, labelsOf: () => null, captionsOf, pictures }, image);
  };
  const most = batches([], ways[0]!, seeds[0]!).length;
  const text = await readTextFor(job, imageSet);
  const drawing = { backend, model: { spec: job.spec, image }, beside: { text, ...decoding } };
  using pool = await openPool(drawersFor(workers, backend, most), drawing, io.signal);
  await pool.load((await flatOf(model)).flat);
  const told = embeddingsOf(decoding);
  const sets = SCENES_HELD_OUT.length * told.length * ways.length * seeds.length;
  const progress = createImageProgress(process.stderr, sets * count, Date.now);
  let before = 0;
  const rows: Row[] = [];
  try {
    for (const split of SCENES_HELD_OUT) {
      const { pixels, captions = [] } = await openScenes(count, side, split).read(
        Array.from({ length: count }, (_, k) => k),
      );
      const scored = (drawn: Uint8Array) => ({
        own: scoreCaptions(drawn, captions, side),
        shuffled: scoreCaptions(drawn, shuffledCaptions(captions), side),
      });
      for (const [of, way] of told.flatMap((each) => ways.map((way) => [each, way] as const))) {
        const name = (ways.length > 1 ? tell(way) : `drawn, step ${step}`) + of;
        const scores = [];
        for (const seed of seeds) {
          const onProgress = (images: number) => progress.show(before + images, `${split}, ${name}`);
          const asked = batches(captions, way, seed, of === OF_PICTURES ? pixels : undefined);
          scores.push(scored((await pool.draw(asked, onProgress)).pixels));
          before += count;
        }
        rows.push({ name, split, scores });
      }
      rows.push({ name: "as rendered", split, scores: [scored(pixels)] });
    }
  } finally {
    progress.end();
  }
  const how = ways.length === 1 ? `, ${tell(ways[0]!)}` : "";
  io.print(`${job.metadata.name}, ${weights} weights: ${count} images a seed, seeds ${seeds.join(", ")}${how}`);
  io.print(rowTable(rows));
  io.print(LEGEND);
  io.result({ checkpoint, step, weights, seeds, count, rows: rows.map(rowJson) });
  return undefined;
}

/** @throws PlumeError FAILED_PRECONDITION for a model of captions that are not the grammar's: of its images nothing here is a judge. */
function checkOfScenes(checkpoint: string, source: string): void {
  if (isOfScenes(source)) return;
  throw new PlumeError("FAILED_PRECONDITION", `${checkpoint} was trained on ${source}, whose captions no grammar has`, {
    remedy:
      "plume sample --prompt draws what it makes of one; plume likelihood tells the bits of its test images, of any process but imagen",
  });
}

const OF_PICTURES = ", of the pictures' embeddings";

/** What a decoder is told, as its rows are called: what the prior draws of the captions, and their pictures' own. */
const embeddingsOf = ({ clip, prior }: Decoding): readonly string[] =>
  clip ? [...(prior ? [", of the prior's embeddings"] : []), OF_PICTURES] : [""];

/** By their headings. */
const COLUMNS = {
  exact: ({ own }) => own.exact,
  "exact, captions shuffled": ({ shuffled }) => shuffled.exact,
  claims: ({ own }) => own.share,
  "claims, captions shuffled": ({ shuffled }) => shuffled.share,
} satisfies Record<string, (score: Row["scores"][number]) => number>;

const spreads = ({ scores }: Row): [string, Spread][] =>
  Object.entries(COLUMNS).map(([heading, of]) => [heading, spreadOf(scores.map(of))]);

const rowTable = (rows: readonly Row[]): string =>
  table([
    ["captions", "images", ...Object.keys(COLUMNS)],
    ...rows.map((row) => [
      row.split,
      row.name,
      ...spreads(row).map(([, { mean, std }]) => mean.toFixed(3) + (std === null ? "" : ` ± ${std.toFixed(3)}`)),
    ]),
  ]);

const rowJson = (row: Row) => ({ name: row.name, split: row.split, scores: row.scores });

const LEGEND = `exact: the share of images that show all that their captions say, and nothing else, by comparison with the renderer's own
  pictures. claims: of what the captions say (how many things, shapes, colours, sizes, places, relations) the share that is so.
  shuffled: under the caption of the next image, what images score that know nothing of theirs. held-out: captions with pairs of
  colour and shape that no picture of training has.`;
