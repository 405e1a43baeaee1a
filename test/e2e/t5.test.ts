// A model of captions with a frozen text encoder as a user meets it: Imagen's form, with a tiny encoder of random weights.

import { readFileSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { parseJob } from "../../shared/config/load.ts";
import { writeModel } from "../support/frozen.ts";
import { encodePicture, writeTar } from "../support/pictures.ts";
import { plume, scratchFolder, train } from "../support/plume.ts";
import { writeT5 } from "../support/t5-folder.ts";

const scratch = scratchFolder();
const encoder = writeT5(scratch.file("t5"));
const job = scratch.file("imagen.yaml");
const run = scratch.file("run");

writeFileSync(
  job,
  `metadata: { name: imagen }
spec:
  data: { source: "captions:64", imageSize: 16, patch: 4 }
  model: { channels: 8, channelMult: [1, 2], groups: 4, attention: [4], text: { width: 16, layers: 0 } }
  models: { text: { from: "file://${encoder}", length: 40 } }
  diffusion: { process: imagen, predict: v }
  training: { steps: 4, globalBatch: 16, microBatch: 4, optimizer: { lr: 2.0e-3 }, ema: 0.9 }
  sampling: { count: 8, steps: 3, guidance: 2 }
`,
);

const summaryOf = (folder: string) =>
  JSON.parse(readFileSync(`${folder}/summary.json`, "utf8")) as { weightsSha256: string };

const CLIP = parseJob(`
metadata: { name: clip }
spec:
  data: { source: "captions:64", imageSize: 16, patch: 4 }
  model: { type: clip, channels: 8, layers: 1, embedding: 6, text: { width: 8, layers: 1 } }
  diffusion: { objective: contrastive }`);

beforeAll(async () => {
  await writeModel(scratch.file("clip"), 1, CLIP, { height: 16, width: 16, channels: 3 });
  await train(job, run, "--workers", "1");
});

describe("a model with a frozen text encoder", () => {
  it("is trained to the same bits by three workers as by one, and knows its encoder by its sha256", async () => {
    const three = scratch.file("three");
    await train(job, three, "--workers", "3");
    expect(summaryOf(three).weightsSha256).toBe(summaryOf(run).weightsSha256);
    expect(readFileSync(`${run}/job.yaml`, "utf8")).toMatch(
      /text:\n\s+from: file:.*t5\n\s+length: 40\n\s+sha256: [0-9a-f]{64}/,
    );
  });

  it("draws of any words, the same of one prompt by any number of processes, and other images of another", async () => {
    const draw = async (name: string, ...args: string[]) => {
      const file = scratch.file(`${name}.npy`);
      const { code, stderr } = await plume("sample", run, "--count", "9", "-o", file, ...args);
      expect(code, stderr).toBe(0);
      return readFileSync(file);
    };
    const dog = await draw("dog", "--prompt", "a photograph of a corgi, in the rain");
    expect(
      (await draw("again", "--prompt", "a photograph of a corgi, in the rain", "--workers", "1")).equals(dog),
    ).toBe(true);
    expect((await draw("cat", "--prompt", "a photograph of a cat, in the rain")).equals(dog)).toBe(false);
  });

  it("is measured by what it draws of captions that it was not trained on", async () => {
    const scored = await plume("eval", run, "--count", "100", "--seeds", "0", "--steps", "1", "--json");
    expect(scored.code, scored.stderr).toBe(0);
    expect(JSON.parse(scored.stdout)).toMatchObject({ rows: [{ split: "test" }, {}, { split: "held-out" }, {}] });
  });

  it.each([
    [
      ["sample", run, "--prompt", "word ".repeat(40), "-o", scratch.file("none.png")],
      /--prompt .* tokens, of which the model reads 40/,
    ],
    [["sample", run, "--prompt", " ", "-o", scratch.file("none.png")], /--prompt " " says nothing/],
    [
      ["sample", run, "--prompt", "a corgi", "--rerank", scratch.file("clip"), "-o", scratch.file("none.png")],
      /--rerank .*clip: the caption "a corgi" has the word corgi/,
    ],
  ])("refuses %j before any work", async (args, message) => {
    const { code, stderr } = await plume(...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });

  it("goes on with the encoder that it began with, and is begun from its own weights beside one", async () => {
    const out = scratch.file("goes-on");
    await train(job, out, "--steps", "1", "--workers", "1");
    await train(job, out, "--steps", "2", "--workers", "1");
    const folder = scratch.file("exported");
    const exported = await plume("checkpoints", "export", out, "--format", "safetensors", "-o", folder);
    expect(exported.code, exported.stderr).toBe(0);
    await train(job, scratch.file("begun"), "--init", folder, "--steps", "1", "--workers", "1");
    writeT5(encoder, { num_heads: 4, d_kv: 2 }); // the same tensors
    const { code, stderr } = await plume("train", "-f", job, "--out", out, "--steps", "3");
    writeT5(encoder);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringMatching(/models\.text: sha256 is [0-9a-f]{64}, the encoder at/),
    });
  });

  it("is trained on captions of any words in shards, each used once, which plume data inspect shows", async () => {
    const shards = scratch.file("shards");
    const files = await Promise.all(
      Array.from({ length: 16 }, async (_, k) => [
        [`${k}.png`, await encodePicture(k)],
        [`${k}.txt`, Buffer.from(`a photograph of picture ${k}`)],
      ]),
    );
    writeTar(`${shards}/a.tar`, Object.fromEntries(files.flat()));
    const shown = await plume("data", "inspect", `wds:${shards}`, "--image-size", "16");
    expect(shown.stdout).toMatch(/captions[\s\S]*a photograph of picture 0/);
    const out = scratch.file("shards-run");
    const set = (field: string) => ["--set", field];
    const sets = [...set(`data.source=wds:${shards}`), ...set("sampling.prompts=[a corgi, a cat]")];
    await train(job, out, "--steps", "2", "--workers", "2", ...sets);
    const audited = await plume("audit", out);
    expect(audited.code, audited.stderr).toBe(0);
    const { code, stderr } = await plume("eval", out);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining("whose captions no grammar has") });
  });

  it.each([
    [
      "a folder that is not there",
      "models.text.from=file:///nowhere",
      /models\.text: file:\/\/\/nowhere is no text encoder: it has no config\.json/,
    ],
    [
      "words of another width",
      "model.text.width=32",
      /models\.text: .*does not fit this job:\s+model\.text\.width: the model has 16, the job 32/,
    ],
    ["another encoder than its sha256 says", `models.text.sha256=${"0".repeat(64)}`, /models\.text: sha256 is 0000/],
    [
      "an encoder without a tensor",
      `models.text.from=file://${writeT5(scratch.file("torn"), {}, "encoder.final_layer_norm.weight")}`,
      /models\.text: .*tensor encoder\.final_layer_norm\.weight is missing/,
    ],
    [
      "another kind of model",
      `models.text.from=file://${writeT5(scratch.file("bert"), { model_type: "bert" })}`,
      /models\.text: config\.json has model_type "bert"/,
    ],
  ])("is refused %s before any work", async (_, set, message) => {
    const { code, stderr } = await plume("train", "-f", job, "--out", scratch.file("refused"), "--set", set);
    expect(code, stderr).toBe(2);
    expect(stderr).toMatch(message);
  });
});
