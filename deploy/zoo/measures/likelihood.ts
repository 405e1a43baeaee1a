// Bits a dimension for images that a model was not trained on: `plume likelihood`.

import { note, table } from "../../../shared/report/html.ts";
import { spread } from "../spread-text.ts";
import type { Answered, MeasureKind } from "./kind.ts";

interface Likelihood {
  readonly kind: "bound" | "estimate" | "exact";
  readonly images: number;
  readonly bits: Readonly<Record<Code, number>>;
}

/** What says how many bits an image needs, as the answers call it: the model first. */
const CODES = {
  model: "the model",
  webp: "WebP, lossless",
  png: "PNG",
  histogram: "each pixel by itself, from the training images",
  uniform: "every value alike",
} as const;
type Code = keyof typeof CODES;

const CODE_NAMES = Object.keys(CODES) as readonly Code[];

const cell = (answers: readonly Likelihood[], code: Code): string =>
  spread(
    answers.map(({ bits }) => bits[code]),
    3,
  );

function show({ answers }: Answered<Likelihood>): string {
  const [first] = answers;
  if (!first) return note("nothing is measured yet");
  const rows = CODE_NAMES.map((code) => [
    code === "model" && first.kind === "bound" ? `${CODES[code]}, at most` : CODES[code],
    cell(answers, code),
  ]);
  return table([["code", "bits a dimension"], ...rows], { numbers: [1] }) + note(`${first.images} images. ${NOTE}`);
}

const NOTE =
  "Test images; mean and standard deviation over the seeds of training. Of a discrete process and of a vae the bound, of an SDE an estimate of the density, of a flow its own. What needs no training stands beside it.";

export const likelihood: MeasureKind<Likelihood> = {
  title: "Bits a dimension",
  args: (checkpoint, { seed, bitsCount }) => [
    ...["likelihood", checkpoint, "--seed", String(seed)],
    ...["--count", String(bitsCount)],
  ],
  show,
  compare: (all) => [
    ["", ...CODE_NAMES.map((code) => CODES[code])],
    ...all.map(({ name, answers }) => [
      name,
      ...CODE_NAMES.map((code) => (code === "model" && answers[0]?.kind === "bound" ? "≤ " : "") + cell(answers, code)),
    ]),
  ],
  note: NOTE,
};
