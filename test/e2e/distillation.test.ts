// A run that learns from another run's model: wherever that lies, and whatever becomes of it meanwhile.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { loadBegun } from "../../shared/config/load.ts";
import type { Summary } from "../../shared/summary.ts";
import { plume, scratchFolder, train } from "../support/plume.ts";
import { useS3Server } from "../support/use-s3-server.ts";

const server = useS3Server();
const scratch = scratchFolder();

const job = (name: string, diffusion: string, sampler: string, more = ""): string => {
  const file = scratch.file(`${name}.yaml`);
  writeFileSync(
    file,
    `metadata: { name: ${name} }
spec:
  data: { source: "shapes:256", imageSize: 8, patch: 2 }
  model: { channels: 8, channelMult: [1, 2], groups: 4, classes: 10 }
  diffusion: { process: edm, ${diffusion} }
  training: { steps: 4, globalBatch: 16, microBatch: 4, ema: 0.9${more} }
  sampling: { sampler: ${sampler}, count: 4, steps: 2 }
`,
  );
  return file;
};

const teacher = job("teacher", "predict: edm", "heun");
const student = job(
  "student",
  "predict: consistency, objective: consistency, scales: { start: 4 }",
  "consistency",
  ", init: teacher",
);

const from = (place: string) => ["--set", `models.teacher.from=${place}`];
const taught = scratch.file("taught");
let whole: Summary;

beforeAll(async () => {
  await train(teacher, taught);
  whole = await train(student, scratch.file("whole"), ...from(`file://${taught}`), "--workers", "1");
});

describe("a student's run", () => {
  it("has its teacher on S3, reached as the job says, and knows it by checkpoint and sha256; its first steps can be computed again", async () => {
    const url = `s3://${server().bucket}/teacher`;
    const summary = await train(teacher, scratch.file("elsewhere"), "--set", `checkpoint.store=${url}`);
    const out = scratch.file("on-s3");
    const learned = await train(student, out, ...from(url), "--workers", "3");
    expect(learned.weightsSha256).toBe(whole.weightsSha256);
    expect(loadBegun(out)!.spec.models.teacher).toEqual({
      from: `${url}/step-000000004`,
      weights: "ema",
      sha256: summary.emaSha256,
    });
    const replayed = await plume("audit", out, "--replay", "1", "--json");
    expect(replayed.code, replayed.stderr).toBe(0);
    expect(JSON.parse(replayed.stdout)).toMatchObject({ replay: { ok: true, step: 1 } });
  });

  it("goes on with the teacher that it began with when that has trained on, and from its store alone refuses the new one", async () => {
    const growing = scratch.file("growing");
    await train(teacher, growing);
    const out = scratch.file("begun");
    const store = ["--set", `checkpoint.store=file://${scratch.file("store")}`];
    const more = [...from(`file://${growing}`), ...store];
    await train(student, out, ...more, "--steps", "2");
    await train(teacher, growing, "--steps", "6");
    const refused = await plume("train", "-f", student, "--out", scratch.file("anew"), ...more);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("models.teacher.sha256 was") });
    const gone = await train(student, out, ...more, "--workers", "3");
    expect(gone).toMatchObject({ firstStep: 2, weightsSha256: whole.weightsSha256, emaSha256: whole.emaSha256 });
  });

  it.each([
    ["is not there", ["models.teacher.from=file:///nowhere"], "models.teacher: /nowhere is no checkpoint"],
    ["has seen other images", ["data.imageSize=16"], "data.imageSize (height, width, channels): the model has [8,8,1]"],
    ["is another network than its copy", ["model.channels=16"], "model.channels, for training.init teacher"],
    ["has other weights than the job says", [`models.teacher.sha256=${"f".repeat(64)}`], "sha256 is ffff"],
  ])("does not begin when its teacher %s: field, value and remedy, and nothing is left", async (_, set, words) => {
    const out = scratch.file("none");
    const changes = set.flatMap((pair) => ["--set", pair]);
    const refused = await plume("train", "-f", student, "--out", out, ...from(`file://${taught}`), ...changes);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining(words) });
    expect(refused.stderr).toMatch(/name (another model|a run's folder|the step-)/);
    expect(existsSync(out)).toBe(false);
  });

  it("is drawn in one step by its own sampler, and by no other", async () => {
    const picture = scratch.file("one.npy");
    const drawn = await plume("sample", scratch.file("whole"), "--count", "2", "--steps", "1", "-o", picture);
    expect(drawn.code, drawn.stderr).toBe(0);
    expect(readFileSync(picture).length).toBeGreaterThan(2 * 8 * 8);
    const refused = await plume("sample", scratch.file("whole"), "--sampler", "heun", "-o", picture);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("use one of consistency") });
  });
});
