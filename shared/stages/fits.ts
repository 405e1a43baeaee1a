// Whether stages fit together, by their data and networks: what a run would find out when it begins, before the first one does.

import { describeImageSet } from "../data/card.ts";
import type { ImageSetCard } from "../data/image-set.ts";
import { checkClasses, type DataSpec } from "../data/open.ts";
import { PlumeError } from "../errors.ts";
import { checkFits } from "../frozen/fits.ts";
import { naming } from "../frozen/read.ts";
import type { ReadModel } from "../interop/load-model.ts";
import { edgesOf, type Pipeline, type Stage } from "./schema.ts";

type CardOf = (stage: Stage, imageSize?: number) => Promise<ImageSetCard>;

/** @throws PlumeError naming stage and field: data that is not there or is not the upstream's, models that do not fit. */
export async function checkStages({ stages }: Pipeline): Promise<void> {
  const cardOf = cards();
  const byName = new Map(stages.map((stage) => [stage.name, stage]));
  for (const stage of stages) {
    const card = await naming(`stage ${stage.name}`, async () => {
      const described = await cardOf(stage);
      checkClasses(stage.job.spec, described);
      return described;
    });
    for (const [field, edge] of edgesOf(stage)) {
      const upstream = byName.get(edge.stage)!;
      await naming(`stage ${stage.name}: models.${field}`, async () => {
        checkData(upstream, await cardOf(upstream, stage.job.spec.data.imageSize), card);
        await checkFits(field, stage.job.spec, card, asRead(upstream, await cardOf(upstream), edge.weights));
      });
    }
    if (stage.base !== null) {
      const base = byName.get(stage.base)!;
      const there = await cardOf(base, stage.job.spec.data.imageSize);
      await naming(`stage ${stage.name}: base`, async () => checkData(base, there, card));
    }
  }
}

/** Each data set is opened once at each size. */
function cards(): CardOf {
  const known = new Map<string, Promise<ImageSetCard>>();
  return ({ job: { spec } }, imageSize = spec.data.imageSize) => {
    const data: DataSpec = { ...spec.data, imageSize };
    const { source, limit, onError } = data;
    const key = JSON.stringify([source, limit, onError, imageSize, spec.store]);
    const card = known.get(key) ?? describeImageSet(data, spec.store).then((described) => described.card);
    known.set(key, card);
    return card;
  };
}

/** At one size: generated images have another digest at another. */
function checkData({ name, job }: Stage, theirs: ImageSetCard, ours: ImageSetCard): void {
  if (theirs.digest === ours.digest) return;
  const said = (card: ImageSetCard) => `${card.name} (digest ${card.digest.slice(0, 12)}...)`;
  throw new PlumeError(
    "FAILED_PRECONDITION",
    `stage ${name} learns from other data: ${said(theirs)}, this one from ${said(ours)}`,
    {
      remedy: `give both the same data.source and data.limit (stage ${name} has ${job.spec.data.source}), or name a run by models.*.from instead of a stage`,
    },
  );
}

/** What it will be once it is trained, without weights. */
function asRead({ name, job }: Stage, card: ImageSetCard, weights: ReadModel["weights"]): ReadModel {
  const imageSet = { ...card, classes: [...card.classes] };
  return { job, step: job.spec.training.steps, weights, imageSet, values: new Map(), at: `stage ${name}` };
}
