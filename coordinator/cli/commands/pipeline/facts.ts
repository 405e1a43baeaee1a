// What the folders of a pipeline say of its stages.

import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { loadBegun } from "../../../../shared/config/load.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import { naming } from "../../../../shared/frozen/read.ts";
import { networkOf, readModel } from "../../../../shared/interop/load-model.ts";
import { weightsDigest } from "../../../../shared/interop/weights.ts";
import { checkpointIn, type StageFacts } from "../../../../shared/stages/plan.ts";
import { type Edge, edgesOf, type Pipeline, type Stage, weightsKey } from "../../../../shared/stages/schema.ts";
import { readSummary, type Summary } from "../../../../shared/summary.ts";

/** A pipeline's folder. @param out as --out says it. */
export const folderOf = ({ name }: Pipeline, out: string | undefined): string => resolve(out ?? join("runs", name));

/** Null for a run that has not ended yet. */
export function summaryOf(folder: string): Summary | null {
  const file = join(folder, "summary.json");
  return existsSync(file) ? readSummary(file) : null;
}

/** @throws PlumeError naming the stage: a folder that is no run's, a checkpoint that some edge takes and that is gone. */
export async function readFacts(pipeline: Pipeline, out: string): Promise<ReadonlyMap<string, StageFacts>> {
  const facts = new Map<string, StageFacts>();
  for (const stage of pipeline.stages)
    facts.set(stage.name, await naming(`stage ${stage.name}`, () => factsOf(stage, pipeline, join(out, stage.name))));
  return facts;
}

async function factsOf(stage: Stage, { stages }: Pipeline, folder: string): Promise<StageFacts> {
  const begun = loadBegun(folder)?.spec ?? null;
  const store = stage.job.spec.checkpoint.store ?? `file://${join(folder, "checkpoints")}`;
  const summary = summaryOf(folder);
  if (begun === null || summary?.outcome !== "complete" || summary.unsaved !== null || summary.checkpoint === null)
    return { begun, steps: null, store, sha256: {} };
  const taken = stages.flatMap(edgesOf).filter(([, edge]) => edge.stage === stage.name);
  const sha256: Record<string, string> = { ema: summary.emaSha256, raw: summary.weightsSha256 };
  for (const [, edge] of taken) sha256[weightsKey(edge)] ??= await digestAt(stage, checkpointIn(store, edge), edge);
  return { begun, steps: summary.steps, store, sha256 };
}

/** Of an earlier checkpoint, which no summary tells of. */
async function digestAt({ job }: Stage, place: string, { weights }: Edge): Promise<string> {
  const model = await readModel(place.replace(/^file:\/\//, ""), weights, job.spec.store);
  return weightsDigest((await networkOf(model)).layout, model.values);
}

/** Nothing is there: a stage that is trained anew. */
export const withoutRun = (facts: StageFacts): StageFacts => ({ ...facts, begun: null, steps: null, sha256: {} });

/** @throws PlumeError NOT_FOUND naming the stages there are. */
export function checkNames({ stages }: Pipeline, flag: string, asked: readonly string[]): void {
  const names = stages.map(({ name }) => name);
  const unknown = asked.find((name) => !names.includes(name));
  if (unknown === undefined) return;
  throw new PlumeError("NOT_FOUND", `${flag} ${unknown} is no stage of the pipeline`, {
    remedy: `its stages are ${names.join(", ")}`,
  });
}
