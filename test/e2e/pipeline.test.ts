// Pipelines as a user meets them: run, interrupted, killed, run again, changed, and drawn.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "../../shared/root.ts";
import { readRunLock } from "../../shared/run-lock/lock.ts";
import { readSummary, type Summary } from "../../shared/summary.ts";
import { linesOf, plume, plumeJson, scratchFolder, startPlume, until } from "../support/plume.ts";

const TEXT = join(ROOT, "deploy/pipelines/text.yaml");
const scratch = scratchFolder();

/** JSON is YAML. */
function pipelineFile(name: string, stages: readonly object[]): string {
  const file = scratch.file(`${name}.yaml`);
  writeFileSync(file, JSON.stringify({ kind: "DiffusionPipeline", metadata: { name }, spec: { stages } }));
  return file;
}

const SHAPES = {
  data: { source: "shapes:256", imageSize: 8, patch: 2 },
  model: { channels: 8, channelMult: [1, 2], groups: 4, classes: 10 },
};
const training = (steps: number, more = {}) => ({ steps, globalBatch: 16, microBatch: 4, ema: 0.9, ...more });

const file = pipelineFile("distilled", [
  {
    name: "student",
    models: { teacher: { stage: "teacher" } },
    spec: {
      ...SHAPES,
      diffusion: { process: "edm", predict: "consistency", objective: "consistency", scales: { start: 4 } },
      training: training(20, { init: "teacher" }),
      checkpoint: { everySteps: 8 },
      sampling: { sampler: "consistency", count: 4, steps: 2 },
    },
  },
  {
    name: "teacher",
    spec: {
      ...SHAPES,
      diffusion: { process: "edm", predict: "edm" },
      training: training(4),
      sampling: { sampler: "heun", count: 0 },
    },
  },
]);

const run = (out: string, ...args: string[]) => ["pipeline", "run", "-f", file, "--out", out, ...args];
const summaryOf = (out: string, stage: string): Summary => readSummary(join(out, stage, "summary.json"));
const digests = (out: string) =>
  ["teacher", "student"].map((stage) => {
    const { weightsSha256, emaSha256 } = summaryOf(out, stage);
    return [weightsSha256, emaSha256];
  });

const whole = scratch.file("whole");

beforeAll(async () => {
  const told = await plumeJson(...run(whole, "--workers", "1"));
  expect(told).toMatchObject({
    outcome: "complete",
    stages: [
      { stage: "teacher", state: "trained", steps: 4 },
      { stage: "student", state: "trained", steps: 20 },
    ],
  });
});

describe("a pipeline that is interrupted and killed in its second stage", () => {
  const out = scratch.file("disturbed");
  const student = join(out, "student");

  /** Sends the signal once the student has some steps more. */
  async function disturb(signal: "SIGINT" | "SIGKILL") {
    const before = linesOf(join(student, "ledger.ndjson")).length;
    const { child, finished } = startPlume(run(out, "--workers", "3"));
    await until("a step of the student", () => linesOf(join(student, "ledger.ndjson")).length > before + 1);
    child.kill(signal);
    const ended = await finished;
    await until("its coordinator is gone", () => readRunLock(student)?.alive !== true);
    return ended;
  }

  it("goes on there when it is run again, to the bits of one that was left alone at another size", async () => {
    const interrupted = await disturb("SIGINT");
    expect(interrupted.code, interrupted.stderr).toBe(130);
    expect(interrupted.stderr).toMatch(/stage student is not done; to go on there: plume pipeline run -f /);
    await disturb("SIGKILL");
    expect(await plumeJson("pipeline", "status", "-f", file, "--out", out)).toMatchObject({
      stages: [
        { stage: "teacher", phase: "done", step: 4, weightsSha256: digests(whole)[0]![0] },
        { stage: "student", phase: "stopped", steps: 20 },
      ],
    });
    const again = await plume(...run(out, "--workers", "3"));
    expect(again.code, again.stderr).toBe(0);
    expect(again.stdout).toMatch(/^\[1\/2\] teacher done before: 4 steps.*\n\[2\/2\] student trained: 20 steps/);
    expect(digests(out)).toEqual(digests(whole));
    expect(["teacher", "student"].map((stage) => summaryOf(out, stage).incarnation)).toEqual([1, 3]);
  });
});

describe("a pipeline whose teacher's job has changed", () => {
  it("is refused by name until its teacher is trained anew, and then so is what has learned from it", async () => {
    const changed = ["--set", "teacher.training.optimizer.lr=1e-3"];
    const before = digests(whole);
    const refused = await plume(...run(whole, ...changed));
    expect(refused).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /teacher is stale: .*training\.optimizer\.lr: it was 0\.0002, is 0\.001\n.*--retrain teacher/,
      ),
    });
    expect(digests(whole)).toEqual(before);
    await plumeJson(...run(whole, ...changed, "--retrain", "teacher"));
    expect(
      digests(whole)
        .flat()
        .filter((sha256) => before.flat().includes(sha256)),
    ).toEqual([]);
    for (const stage of ["teacher.1", "student.1"]) expect(existsSync(join(whole, stage, "summary.json"))).toBe(true);
  });

  it("is refused a stage that there is not", async () => {
    const words = /--retrain techer is no stage .*\n.*teacher, student/;
    const refused = await plume(...run(whole, "--retrain", "techer"));
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(words) });
  });

  it("is not run at all where a stage would be refused later: nothing is left", async () => {
    const bad = pipelineFile("bad", [
      { name: "a", spec: { ...SHAPES, diffusion: { predict: "v" }, training: training(4) } },
      { name: "b", spec: { ...SHAPES, data: { ...SHAPES.data, source: "images:/nowhere" } } },
    ]);
    const out = scratch.file("bad");
    const { code, stderr } = await plume("pipeline", "run", "-f", bad, "--out", out);
    expect({ code, stderr }).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/stage b: data\.source .*nowhere/),
    });
    expect(existsSync(out)).toBe(false);
  });
});

describe("deploy/pipelines/text.yaml, of few steps and small networks", () => {
  it("ends with the same bits at 1 and at 3 workers", async () => {
    const small = ["data.source=captions:64", "model.channels=8", "training.steps=2", "training.globalBatch=8"];
    const set = [...small, "training.microBatch=2", "sampling.count=0"].flatMap((pair) => ["--set", pair]);
    const [one, three] = ["1", "3"].map((workers) => [workers, scratch.file(`text-${workers}`)] as const);
    for (const [workers, out] of [one!, three!])
      await plumeJson("pipeline", "run", "-f", TEXT, "--out", out, "--workers", workers, ...set);
    for (const stage of ["base", "upsampler"])
      expect(summaryOf(three![1], stage).emaSha256).toBe(summaryOf(one![1], stage).emaSha256);
  });
});

describe("plume sample --pipeline", () => {
  const out = scratch.file("text");
  const stage = (name: string, side: number, lowRes?: number) => ({
    name,
    ...(lowRes !== undefined && { base: { stage: `at-${lowRes}` } }),
    spec: {
      data: { source: "captions:64", imageSize: side, patch: 4 },
      model: {
        ...{ channels: 8, channelMult: [1], groups: 4, text: { width: 8, layers: 1 } },
        ...(lowRes !== undefined && { lowRes: { size: lowRes } }),
      },
      diffusion: { process: "imagen", predict: "v" },
      training: training(4, { globalBatch: 4, optimizer: { lr: 2e-2 } }),
      sampling: { count: 0, steps: 2 },
    },
  });
  const draw = async (name: string, ...args: string[]) => {
    const picture = scratch.file(`${name}.npy`);
    const told = await plumeJson("sample", ...args, "--count", "2", "-o", picture);
    return { told, bytes: readFileSync(picture) };
  };

  it("draws a prompt through all three stages, as naming each base does", async () => {
    const stages = [stage("at-32", 32, 24), stage("at-24", 24, 16), stage("at-16", 16)];
    await plumeJson("pipeline", "run", "-f", pipelineFile("text", stages), "--out", out, "--workers", "1");
    const prompt = ["--prompt", "large red square"];
    const { bytes } = await draw("pipeline", "--pipeline", out, ...prompt);
    const at = (side: number) => join(out, `at-${side}`);
    const named = await draw("named", at(32), "--base", at(24), "--base", at(16), ...prompt, "--workers", "1");
    expect(bytes.equals(named.bytes)).toBe(true);
    expect(bytes.length).toBeGreaterThan(2 * 32 * 32 * 3);
    expect((await draw("blue", "--pipeline", out, "--prompt", "large blue square")).bytes.equals(bytes)).toBe(false);
    const refused = await plume("sample", at(24), "--base", at(16), "--base", at(24), "-o", scratch.file("no.npy"));
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(/at-16 is no upsampler and has no base/) });
  });

  it("draws a class by the last stage that gives images", async () => {
    const { told } = await draw("class", "--pipeline", whole, "--class", "3");
    expect(told).toMatchObject({ count: 2, step: 20, steps: 2 });
  });
});
