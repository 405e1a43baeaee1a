// A classifier's accuracy by noise level, on images that it was not trained on.

import type { Backend } from "../../../../shared/backends/backend.ts";
import { noiseProcess } from "../../../../shared/diffusion/processes/index.ts";
import { accuracyAt, type NoisedAccuracy, timesOf } from "../../../../shared/eval/noised-accuracy.ts";
import type { LoadedModel } from "../../../../shared/interop/load-model.ts";
import { createLogits } from "../../../../shared/pipeline/classifier.ts";
import { meanOf } from "../../../../shared/spread.ts";
import type { CommandIo } from "../../action.ts";
import { openHeldOut } from "../../held-out.ts";
import { breathe } from "../../sampling.ts";
import { table } from "../../table.ts";

const LEVELS = 10;
const COUNT = 1000;

export async function evaluateClassifier(
  io: CommandIo,
  checkpoint: string,
  model: LoadedModel & { readonly backend: Backend },
  asked: { readonly count: number | undefined },
): Promise<undefined> {
  const { job, step, weights, network, params, backend } = model;
  const { spec } = job;
  await using sets = await openHeldOut(model, io.signal);
  const { test: set, heldOut, which } = sets;
  const n = Math.min(asked.count ?? COUNT, set.size);
  const images = await set.read(
    Array.from({ length: n }, (_, k) => k),
    io.signal,
  );
  const logits = createLogits({ spec, network, params }, backend.program);
  const levels: NoisedAccuracy[] = [];
  for (const t of timesOf(noiseProcess(spec.diffusion), LEVELS)) {
    await breathe(io.signal);
    levels.push(await accuracyAt(t, { spec, logits }, images, set));
    io.note(`  noise level ${levels.length} of ${LEVELS}`);
  }
  io.print(`${job.metadata.name}, a classifier, ${weights} weights of step ${step}: ${n} ${which} of ${set.name}`);
  io.print(levelTable(levels));
  io.print(legend(spec.model.classes));
  io.result({ checkpoint, step, weights, images: n, set: set.name, heldOut, classes: spec.model.classes, levels });
  return undefined;
}

const levelTable = (levels: readonly NoisedAccuracy[]): string =>
  table([
    ["t", "sigma / alpha", "accuracy", "cross-entropy"],
    ...levels.map(({ t, noise, accuracy, crossEntropy }) => [
      Number.isInteger(t) ? String(t) : t.toFixed(4),
      noise.toPrecision(3),
      accuracy.toFixed(3),
      crossEntropy.toFixed(3),
    ]),
    [
      "mean",
      "",
      meanOf(levels.map(({ accuracy }) => accuracy)).toFixed(3),
      meanOf(levels.map(({ crossEntropy }) => crossEntropy)).toFixed(3),
    ],
  ]);

const legend = (classes: number): string =>
  `t: the middles of ${LEVELS} equal shares of the times that it was trained at. chance: accuracy ${(1 / classes).toFixed(3)}, cross-entropy ${Math.log(classes).toFixed(3)} (nats).`;
