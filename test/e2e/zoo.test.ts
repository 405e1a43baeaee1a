// Each system of deploy/jobs, a few steps of its own job: the same weights and the same pictures from 1 and from 3 workers, also
// where the three are stopped midway and go on.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { loadJob } from "../../shared/config/load.ts";
import type { FrozenName } from "../../shared/config/models.ts";
import { chainKind } from "../../shared/diffusion/processes/index.ts";
import { generates, givesImages } from "../../shared/models/index.ts";
import { objectiveKind } from "../../shared/objectives/index.ts";
import { ROOT } from "../../shared/root.ts";
import { scratchFolder, train } from "../support/plume.ts";

/** Needs data that other tests have installed, and minutes a run. */
const ELSEWHERE = ["fashion.yaml", "classifier.yaml"];

const fileOf = (job: string): string => join(ROOT, "deploy/jobs", job);

const jobs = readdirSync(join(ROOT, "deploy/jobs")).filter((file) => !ELSEWHERE.includes(file));
const specOf = (job: string) => loadJob(fileOf(job), { set: [] }).spec;
const namedBy = (job: string) => Object.keys(specOf(job).models) as FrozenName[];
const asks = (job: string) => objectiveKind(specOf(job).diffusion.objective).asks;
/** Their objectives ask other networks than the one that learns, or of two one at a time: their three are stopped midway, and go on. */
const several = jobs.filter((job) => asks(job) === "denoisers" || asks(job) === "players");

const SHORT = ["--set", "sampling.steps=4", "--set", "sampling.count=10"];
/** Of a chain all steps are taken, of a generator the only one. */
const stepsOf = (job: string): string[] => {
  if (generates(specOf(job).model.type)) return ["--set", "sampling.steps=1"];
  return chainKind(specOf(job).diffusion.process) ? ["--set", "diffusion.timesteps=4"] : [];
};

const scratch = scratchFolder();
/** The jobs of models that others name, each after those that it names itself. */
const NAMED = { teacher: "edm.yaml", text: "clip.yaml", clip: "clip.yaml", prior: "prior.yaml", dvae: "dvae.yaml" };

const namedIn = (job: string): string[] =>
  namedBy(job).flatMap((name) => ["--set", `models.${name}.from=file://${scratch.file(name)}`]);

beforeAll(async () => {
  for (const [name, job] of Object.entries(NAMED))
    await train(fileOf(job), scratch.file(name), "--steps", "2", ...SHORT, ...stepsOf(job), ...namedIn(job));
});

/** Trained to each of the steps in turn: what the last run left. */
async function outcome(job: string, out: string, workers: number, ...steps: number[]) {
  const more = [...stepsOf(job), ...namedIn(job)];
  const summaries = [];
  for (const last of steps)
    summaries.push(
      await train(fileOf(job), out, "--workers", String(workers), "--steps", String(last), ...SHORT, ...more),
    );
  const { weightsSha256, emaSha256 } = summaries.at(-1)!;
  const grids = (existsSync(join(out, "samples")) ? readdirSync(join(out, "samples")) : [])
    .filter((name) => name.includes(String(steps.at(-1)!)))
    .map((name) =>
      createHash("sha256")
        .update(readFileSync(join(out, "samples", name)))
        .digest("hex"),
    );
  return { weightsSha256, emaSha256, grids };
}

describe("the same bits at 1 and 3 workers", () => {
  it.each(jobs)("of %s", async (job) => {
    using own = scratchFolder();
    const [one, three] = await Promise.all([
      outcome(job, scratch.file(job), 1, 3),
      outcome(job, own.file("3"), 3, ...(several.includes(job) ? [2, 3] : [3])),
    ]);
    expect(one!.grids.length > 0).toBe(givesImages(specOf(job).model.type));
    expect(three).toEqual(one);
  });
});
