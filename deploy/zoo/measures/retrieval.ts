// How often pictures find their captions, captions their pictures, and what a prior draws of a caption its picture: `plume eval` of a clip
// and of a prior.

import { note, table } from "../../../shared/report/html.ts";
import { spread } from "../spread-text.ts";
import type { Answered, MeasureKind } from "./kind.ts";

type Split = "test" | "held-out";

interface Found {
  readonly top1: number;
  readonly top5: number;
}

interface ClipRow extends Readonly<Record<"imageToText" | "textToImage" | "chance", Found>> {
  readonly split: Split;
}

interface PriorRow extends Found {
  readonly split: Split;
  readonly of: string;
  readonly cosine: number;
  readonly shuffled: number;
}

interface Answer<R> {
  readonly count: number;
  readonly rows: readonly R[];
}

/** A row of an answer as numbers, and what names it. */
interface Told<R> {
  readonly head: readonly string[];
  readonly words: (row: R) => readonly string[];
  readonly numbers: (row: R) => readonly number[];
}

/** Rows over the seeds. */
function rowsOf<R>({ answers }: Answered<Answer<R>>, { words, numbers }: Told<R>): string[][] {
  const [first] = answers;
  return (first?.rows ?? []).map((row, i) => {
    const all = answers.map((each) => numbers(each.rows[i]!));
    return [
      ...words(row),
      ...numbers(row).map((_, k) =>
        spread(
          all.map((each) => each[k]!),
          3,
        ),
      ),
    ];
  });
}

const measure = <R>(title: string, told: Told<R>, about: string): MeasureKind<Answer<R>> => ({
  title,
  args: (checkpoint) => ["eval", checkpoint],
  show(measured) {
    const [first] = measured.answers;
    if (!first) return note("nothing is measured yet");
    const columns = told.head.map((_, k) => k).slice(told.words(first.rows[0]!).length);
    return (
      table([[...told.head], ...rowsOf(measured, told)], { numbers: columns }) +
      note(`${first.count} of each. ${about}`)
    );
  },
  compare: (all) => [
    ["", ...told.head],
    ...all.flatMap((each) => rowsOf(each, told).map((row) => [each.name, ...row])),
  ],
  note: about,
});

const OVER_SEEDS =
  "held-out: pairs of colour and shape that no picture of training has. Mean and standard deviation over the seeds of training.";

export const retrieval = measure<ClipRow>(
  "Pictures and captions that find each other",
  {
    head: ["pictures", "picture to caption", "of five", "caption to picture", "of five", "chance"],
    words: ({ split }) => [split],
    numbers: ({ imageToText, textToImage, chance }) => [
      ...[imageToText, textToImage].flatMap(({ top1, top5 }) => [top1, top5]),
      chance.top1,
    ],
  },
  `The share whose own is the nearest of all, or among the five nearest. ${OVER_SEEDS}`,
);

export const drawnEmbeddings = measure<PriorRow>(
  "Embeddings that are drawn of captions",
  {
    head: ["captions", "embedding", "cosine", "shuffled", "its picture", "of five"],
    words: ({ split, of }) => [split, of],
    numbers: ({ cosine, shuffled, top1, top5 }) => [cosine, shuffled, top1, top5],
  },
  `cosine: with the embedding of the caption's picture, and of the next one's; its picture: the share whose own is the nearest. ${OVER_SEEDS}`,
);
