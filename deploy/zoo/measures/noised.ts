// A classifier's accuracy by the noise that images are under: `plume eval` of one.

import { chart, type Series } from "../../../shared/report/chart.ts";
import { figure, folded, note, table } from "../../../shared/report/html.ts";
import { columnsOf } from "../../../shared/report/series.ts";
import { meanOf } from "../../../shared/spread.ts";
import { spread } from "../spread-text.ts";
import type { Answered, MeasureKind } from "./kind.ts";

interface Level {
  readonly t: number;
  readonly noise: number;
  readonly accuracy: number;
  readonly crossEntropy: number;
}

interface Noised {
  readonly images: number;
  readonly classes: number;
  readonly levels: readonly Level[];
}

const valuesAt = (answers: readonly Noised[], i: number, of: "accuracy" | "crossEntropy"): number[] =>
  answers.map(({ levels }) => levels[i]![of]);

function show({ answers, seeds }: Answered<Noised>): string {
  const [first] = answers;
  if (!first) return note("nothing is measured yet");
  const curves = (of: "accuracy" | "crossEntropy"): Series[] =>
    answers.map(({ levels }, i) => ({
      name: `seed ${seeds[i]}`,
      colour: i,
      columns: columnsOf(levels.map((level) => ({ x: level.t, y: level[of] }))),
    }));
  const rows = first.levels.map(({ t, noise }, i) => [
    t.toPrecision(3),
    noise.toPrecision(3),
    spread(valuesAt(answers, i, "accuracy"), 3),
    spread(valuesAt(answers, i, "crossEntropy"), 3),
  ]);
  const picture = (of: "accuracy" | "crossEntropy") =>
    chart({ series: curves(of), xLabel: "t, from little noise to much" });
  return [
    `<div class="pair">${figure("Accuracy", picture("accuracy"))}${figure("Cross-entropy, nats", picture("crossEntropy"))}</div>`,
    note(
      `${first.images} test images, noised as in training. Chance: accuracy ${(1 / first.classes).toFixed(3)}, cross-entropy ${Math.log(first.classes).toFixed(3)}.`,
    ),
    folded(
      "as numbers",
      table([["t", "sigma / alpha", "accuracy", "cross-entropy"], ...rows], { numbers: [0, 1, 2, 3] }),
    ),
  ].join("\n");
}

export const noised: MeasureKind<Noised> = {
  title: "Accuracy by noise level",
  args: (checkpoint, { count }) => ["eval", checkpoint, "--count", String(count)],
  show,
  compare: (all) => [
    ["", "least noise", "most noise", "mean accuracy", "mean cross-entropy"],
    ...all.map(({ name, answers }) => {
      const last = (answers[0]?.levels.length ?? 1) - 1;
      const mean = (of: "accuracy" | "crossEntropy") =>
        spread(
          answers.map(({ levels }) => meanOf(levels.map((level) => level[of]))),
          3,
        );
      const at = (i: number) => spread(valuesAt(answers, i, "accuracy"), 3);
      return [name, at(0), at(last), mean("accuracy"), mean("crossEntropy")];
    }),
  ],
  note: "Test images, noised as in training; mean and standard deviation over the seeds of training.",
};
