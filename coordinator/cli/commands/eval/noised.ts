// A classifier's accuracy by noise level, on images that it was not trained on.

import type { Backend } from "../../../../shared/backends/backend.ts";
import type { JobSpec } from "../../../../shared/config/schema.ts";
import { openImageSet } from "../../../../shared/data/open.ts";
import { noiseProcess } from "../../../../shared/diffusion/processes/index.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import { accuracyAt, type NoisedAccuracy, timesOf } from "../../../../shared/eval/noised-accuracy.ts";
import type { LoadedModel } from "../../../../shared/interop/load-model.ts";
import { createLogits } from "../../../../shared/pipeline/classifier.ts";
import { meanOf } from "../../../../shared/spread.ts";
import type { CommandIo } from "../../action.ts";
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
  const { job, step, weights, network, params, imageSet, backend } = model;
  const { spec } = job;
  await using set = await openTestImages(spec, io.signal);
  const heldOut = set.digest !== imageSet.digest;
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
  const which = heldOut ? "test images" : "images that it was trained on (the source has no others)";
  io.print(`${job.metadata.name}, a classifier, ${weights} weights of step ${step}: ${n} ${which} of ${set.name}`);
  io.print(levelTable(levels));
  io.print(legend(spec.model.classes));
  io.result({ checkpoint, step, weights, images: n, set: set.name, heldOut, classes: spec.model.classes, levels });
  return undefined;
}

/** Images of the classifier's classes that its run has not seen, where the source has a part for that; else those that it has. */
async function openTestImages({ data, store, model }: JobSpec, signal: AbortSignal) {
  const set = await openImageSet(data, { split: "test", access: store, signal });
  if (set.fallback !== undefined || set.classes.length !== model.classes)
    throw new PlumeError("UNAVAILABLE", `the images of ${data.source} are not here`, {
      remedy: data.source === "fashion-mnist" ? "npm run setup:data" : "put them where the job names them",
    });
  return { ...set, [Symbol.asyncDispose]: () => set.close() };
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
