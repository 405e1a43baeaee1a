// Whether a clip's pictures find their captions, and captions their pictures: of pictures that it was not trained on, and of those with
// pairs of colour and shape that no picture of its training has.

import type { Backend } from "../../../../shared/backends/backend.ts";
import { openScenes, SCENES_HELD_OUT } from "../../../../shared/data/sources/captions.ts";
import { chance, type Found, retrieval } from "../../../../shared/eval/retrieval.ts";
import type { LoadedModel } from "../../../../shared/interop/load-model.ts";
import { createEmbedder, numbersOf } from "../../../../shared/pipeline/towers.ts";
import { tokensOf } from "../../../../shared/scenes/tokens.ts";
import type { CommandIo } from "../../action.ts";
import { breathe } from "../../sampling.ts";
import { table } from "../../table.ts";

const COUNT = 200;

interface Row {
  readonly split: (typeof SCENES_HELD_OUT)[number];
  readonly imageToText: Found;
  readonly textToImage: Found;
  readonly chance: Found;
}

export async function evaluateClip(
  io: CommandIo,
  checkpoint: string,
  model: LoadedModel & { readonly backend: Backend },
  { count = COUNT }: { readonly count: number | undefined },
): Promise<undefined> {
  const { job, step, weights, imageSet, backend } = model;
  const { height, width, channels } = imageSet;
  const embedder = createEmbedder({ ...model, spec: job.spec }, { height, width, channels }, backend.program);
  const rows: Row[] = [];
  for (const split of SCENES_HELD_OUT) {
    await breathe(io.signal);
    const { pixels, captions = [] } = await openScenes(count, height, split).read(
      Array.from({ length: count }, (_, k) => k),
    );
    const x = await numbersOf(embedder.images(pixels));
    const y = await numbersOf(embedder.texts(tokensOf(captions)));
    rows.push({
      split,
      imageToText: retrieval(x, y, captions),
      textToImage: retrieval(y, x, captions),
      chance: chance(captions),
    });
  }
  io.print(`${job.metadata.name}, a clip, ${weights} weights of step ${step}: ${count} pictures of each`);
  io.print(rowTable(rows));
  io.print(LEGEND);
  io.result({ checkpoint, step, weights, count, rows });
  return undefined;
}

const rowTable = (rows: readonly Row[]): string =>
  table([
    ["pictures", "picture to caption", "of five", "caption to picture", "of five", "chance", "of five"],
    ...rows.map(({ split, imageToText, textToImage, chance }) => [
      split,
      ...[imageToText, textToImage, chance].flatMap(({ top1, top5 }) => [top1.toFixed(3), top5.toFixed(3)]),
    ]),
  ]);

const LEGEND = `picture to caption: the share of pictures whose own caption is the nearest of all; of five: among the five nearest. The same caption
  of another picture counts as its own. held-out: pictures with pairs of colour and shape that none of training has.`;
