// Whether what a prior draws of captions is near to CLIP's embeddings of their pictures, and nearest to its own: beside the captions' own
// embeddings, which need no prior.

import type { Backend } from "../../../../shared/backends/backend.ts";
import { openScenes, SCENES_HELD_OUT } from "../../../../shared/data/sources/captions.ts";
import { type Found, meanCosine, retrieval } from "../../../../shared/eval/retrieval.ts";
import type { LoadedModel } from "../../../../shared/interop/load-model.ts";
import { createPrior } from "../../../../shared/pipeline/prior.ts";
import { numbersOf } from "../../../../shared/pipeline/towers.ts";
import { tokensOf } from "../../../../shared/scenes/tokens.ts";
import type { CommandIo } from "../../action.ts";
import { openEmbedder } from "../../embedder.ts";
import { breathe } from "../../sampling.ts";
import { table } from "../../table.ts";

const COUNT = 200;

interface Row extends Found {
  readonly split: (typeof SCENES_HELD_OUT)[number];
  readonly of: string;
  /** With the embedding of its own picture, and of the next one. */
  readonly cosine: number;
  readonly shuffled: number;
}

export async function evaluatePrior(
  io: CommandIo,
  checkpoint: string,
  model: LoadedModel & { readonly backend: Backend },
  { count = COUNT }: { readonly count: number | undefined },
): Promise<undefined> {
  const { job, step, weights, imageSet, backend } = model;
  const embedder = (await openEmbedder(model))!;
  const prior = createPrior({ ...model, spec: job.spec }, embedder, backend.program);
  const indices = Array.from({ length: count }, (_, k) => k);
  const rows: Row[] = [];
  for (const split of SCENES_HELD_OUT) {
    await breathe(io.signal);
    const { pixels, captions = [] } = await openScenes(count, imageSet.height, split).read(indices);
    const pictures = await numbersOf(embedder.images(pixels));
    const others = {
      "drawn by the prior": await numbersOf(await prior({ indices, captions, seed: 0 })),
      "the caption's own": await numbersOf(embedder.texts(tokensOf(captions))),
    };
    for (const [of, embeddings] of Object.entries(others)) {
      const cosines = {
        cosine: meanCosine(embeddings, pictures, count),
        shuffled: meanCosine(embeddings, pictures, count, 1),
      };
      rows.push({ split, of, ...cosines, ...retrieval(embeddings, pictures, captions) });
    }
  }
  io.print(`${job.metadata.name}, a prior, ${weights} weights of step ${step}: ${count} captions of each`);
  io.print(rowTable(rows));
  io.print(LEGEND);
  io.result({ checkpoint, step, weights, count, rows });
  return undefined;
}

const rowTable = (rows: readonly Row[]): string =>
  table([
    ["captions", "embedding", "cosine", "shuffled", "its picture", "of five"],
    ...rows.map(({ split, of, ...numbers }) => [
      split,
      of,
      ...(["cosine", "shuffled", "top1", "top5"] as const).map((each) => numbers[each].toFixed(3)),
    ]),
  ]);

const LEGEND = `cosine: with the embedding of the caption's picture; shuffled: of the next one's. its picture: the share whose own picture is the
  nearest of all; of five: among the five nearest.`;
