// A clip's text tower as the frozen text encoder of a model of captions, as a user meets it: a pipeline of both, drawn, and refused.

import { readFileSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import type { ModelAnswer } from "../../shared/http/images-api.ts";
import { WORDS } from "../../shared/scenes/words.ts";
import { readSummary } from "../../shared/summary.ts";
import { plume, scratchFolder, train } from "../support/plume.ts";
import { startServing } from "../support/serving.ts";

const scratch = scratchFolder();
const out = scratch.file("imagen");
const [clip, run] = [`${out}/clip`, `${out}/imagen`];

const common = {
  data: { source: "captions:64", imageSize: 16, patch: 4 },
  training: { steps: 4, globalBatch: 12, microBatch: 4, optimizer: { lr: 1.0e-2 }, ema: 0.5 },
  workers: { replicas: 1 },
};
const CLIP = {
  ...common,
  model: { type: "clip", channels: 8, layers: 1, embedding: 8, text: { width: 8, layers: 1 } },
  diffusion: { objective: "contrastive" },
};
const IMAGEN = {
  ...common,
  model: { channels: 8, channelMult: [1, 2], groups: 4, attention: [4], text: { width: 8, layers: 0 } },
  models: { text: { from: "file:///filled", length: 10 } },
  diffusion: { process: "imagen", predict: "v" },
  sampling: { count: 2, steps: 2, guidance: 2 },
};

/** JSON is YAML. */
function written(name: string, document: object): string {
  const file = scratch.file(`${name}.yaml`);
  writeFileSync(file, JSON.stringify({ ...document, metadata: { name } }));
  return file;
}

const job = written("job", { spec: IMAGEN });
const from = (place: string, ...set: string[]) =>
  [`models.text.from=file://${place}`, ...set].flatMap((pair) => ["--set", pair]);

beforeAll(async () => {
  const stages = [
    { name: "clip", spec: CLIP },
    { name: "imagen", spec: IMAGEN, models: { text: { stage: "clip" } } },
  ];
  const pipeline = written("pipeline", { kind: "DiffusionPipeline", spec: { stages } });
  const { code, stderr } = await plume("pipeline", "run", "-f", pipeline, "--out", out);
  expect(code, stderr).toBe(0);
});

describe("a model whose frozen text encoder is a clip", () => {
  it("is trained to the same bits by three workers, of the clip's exported folder", async () => {
    const folder = scratch.file("clip");
    const exported = await plume("checkpoints", "export", clip, "--format", "clip", "-o", folder);
    expect(exported.code, exported.stderr).toBe(0);
    const three = await train(job, scratch.file("three"), "--workers", "3", ...from(folder));
    expect(three.weightsSha256).toBe(readSummary(`${run}/summary.json`).weightsSha256);
  });

  it("knows it by the sha256 of its average", async () => {
    const { emaSha256 } = readSummary(`${clip}/summary.json`);
    const pinned = new RegExp(
      `text:\\s+from: file:.*step-000000004\\s+weights: ema\\s+length: 10\\s+sha256: ${emaSha256}`,
    );
    expect(readFileSync(`${run}/job.yaml`, "utf8")).toMatch(pinned);
  });

  it("draws what a prompt says, of the run and of the pipeline, and offers the nearest of the words that there are", async () => {
    const draw = async (name: string, prompt: string, ...of: string[]) => {
      const file = scratch.file(`${name}.npy`);
      const { code, stderr } = await plume("sample", ...of, "--prompt", prompt, "--count", "2", "-o", file);
      expect(code, stderr).toBe(0);
      return readFileSync(file);
    };
    const circle = await draw("circle", "small blue circle", run);
    expect((await draw("square", "large red square", run)).equals(circle)).toBe(false);
    expect((await draw("same", "a small blue circle", "--pipeline", out)).equals(circle)).toBe(true);
    const odd = await plume("sample", run, "--prompt", "large rde square", "-o", scratch.file("none.png"));
    expect(odd.code).toBe(2);
    expect(odd.stderr).toMatch(/--prompt .* has the word rde, which no caption has\s+did you mean red\?/);
  });

  it("is served by the words that the clip knows, and refuses others before it draws", async () => {
    const { url, child, finished } = await startServing([run, "--workers", "1"]);
    const model = (await (await fetch(`${url}/v1/model`)).json()) as ModelAnswer;
    expect(model.captions!.words).toEqual(WORDS);
    const body = JSON.stringify({ prompt: "large rde square" });
    const refused = await fetch(`${url}/v1/images`, { method: "POST", body });
    const { error } = (await refused.json()) as { error: { field: string; remedy: string } };
    expect([refused.status, error.field, error.remedy]).toEqual([400, "prompt", "did you mean red?"]);
    child.kill("SIGTERM");
    await finished;
  });

  it.each([
    [
      "another model",
      from(run),
      /models\.text: .*step-000000004 does not fit this job:\s+model\.type: the model is a unet, and no clip/,
    ],
    [
      "a prompt of another word",
      from(clip, "sampling.prompts=[large rde square]"),
      /models\.text: sampling\.prompts .*has the word rde/,
    ],
  ])("is refused %s before any work", async (_, set, message) => {
    const { code, stderr } = await plume("train", "-f", job, "--out", scratch.file("refused"), ...set);
    expect(code, stderr).toBe(2);
    expect(stderr).toMatch(message);
  });
});
