// A clip's text tower as the frozen text encoder of a model of captions, as a user meets it: trained, frozen, drawn, refused.

import { readFileSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { plume, scratchFolder, train } from "../support/plume.ts";

const scratch = scratchFolder();
const [clip, run, folder] = [scratch.file("clip-run"), scratch.file("run"), scratch.file("clip")];

function jobFile(name: string, rest: string): string {
  const file = scratch.file(`${name}.yaml`);
  writeFileSync(
    file,
    `metadata: { name: ${name} }
spec:
  data: { source: "captions:64", imageSize: 16, patch: 4 }
  training: { steps: 2, globalBatch: 12, microBatch: 4, ema: 0.5 }
  checkpoint: { everySteps: 1 }
  ${rest}`,
  );
  return file;
}

const CLIP = jobFile(
  "clip",
  `model: { type: clip, channels: 8, layers: 1, embedding: 8, text: { width: 8, layers: 1 } }
  diffusion: { objective: contrastive }`,
);
const JOB = jobFile(
  "imagen",
  `model: { channels: 8, channelMult: [1, 2], groups: 4, attention: [4], text: { width: 8, layers: 0 } }
  models: { text: { from: "file://${clip}", length: 10 } }
  diffusion: { process: imagen, predict: v }
  sampling: { count: 2, steps: 2, prompts: [small blue circle, large red square] }`,
);

const from = (place: string, ...more: string[]) => ["--set", `models.text.from=file://${place}`, ...more];

beforeAll(async () => {
  await train(CLIP, clip, "--workers", "1");
  await train(JOB, run, "--workers", "1");
});

describe("a model whose frozen text encoder is a clip", () => {
  it("is trained to the same bits by three workers, and of the clip's exported folder", async () => {
    const { weightsSha256 } = JSON.parse(readFileSync(`${run}/summary.json`, "utf8"));
    expect((await train(JOB, scratch.file("three"), "--workers", "3")).weightsSha256).toBe(weightsSha256);
    const exported = await plume("checkpoints", "export", clip, "--format", "clip", "-o", folder);
    expect(exported.code, exported.stderr).toBe(0);
    const same = await train(JOB, scratch.file("of-folder"), "--workers", "1", ...from(folder));
    expect(same.weightsSha256).toBe(weightsSha256);
    const raw = ["--set", "models.text.weights=raw"];
    const other = await train(JOB, scratch.file("raw"), "--workers", "1", ...raw);
    expect(other.weightsSha256).not.toBe(weightsSha256);
  });

  it("knows it by the sha256 of its weights, also when the clip has been trained on", async () => {
    const { emaSha256 } = JSON.parse(readFileSync(`${clip}/summary.json`, "utf8"));
    expect(readFileSync(`${run}/job.yaml`, "utf8")).toMatch(
      new RegExp(`text:\\n\\s+from: file:.*step-000000002\\n[^]*length: 10\\n\\s+sha256: ${emaSha256}`),
    );
    const { code, stderr } = await plume(
      "train",
      "-f",
      JOB,
      "--out",
      run,
      "--steps",
      "3",
      ...from(`${clip}/checkpoints/step-000000001`),
    );
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringMatching(/models\.text: sha256 is [0-9a-f]{64}/),
    });
  });

  it("draws what a prompt says, and offers the nearest word for one that the clip has not", async () => {
    const draw = async (name: string, prompt: string) => {
      const file = scratch.file(`${name}.npy`);
      const { code, stderr } = await plume("sample", run, "--prompt", prompt, "--count", "2", "-o", file);
      expect(code, stderr).toBe(0);
      return readFileSync(file);
    };
    expect((await draw("a", "small blue circle")).equals(await draw("b", "large red square"))).toBe(false);
    const { code, stderr } = await plume("sample", run, "--prompt", "large rde square", "-o", scratch.file("none.png"));
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringMatching(/--prompt .* has the word rde, [^]*did you mean red\?/),
    });
  });

  it.each([
    [
      "another model",
      from(run),
      /models\.text: .*step-000000002 does not fit this job:\s+model\.type: the model is a unet, and no clip/,
    ],
    [
      "words of another width",
      from(clip, "--set", "model.text.width=16"),
      /model\.text\.width: the model has 8, the job 16/,
    ],
    [
      "a prompt of another word",
      from(clip, "--set", "sampling.prompts=[large rde square]"),
      /models\.text: sampling\.prompts .*has the word rde/,
    ],
    [
      "a prompt of too many tokens",
      from(clip, "--set", "models.text.length=4"),
      /has 5 tokens, models\.text\.length is 4/,
    ],
  ])("is refused %s before any work", async (_, set, message) => {
    const { code, stderr } = await plume("train", "-f", JOB, "--out", scratch.file("refused"), ...set);
    expect(code, stderr).toBe(2);
    expect(stderr).toMatch(message);
  });
});
