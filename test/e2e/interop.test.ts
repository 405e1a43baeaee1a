// Weights out of a run and into another one, by the command line.

import { readdirSync, readFileSync, rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeSafetensors } from "../../shared/checkpoint/safetensors.ts";
import type { Summary } from "../../shared/summary.ts";
import { plume, plumeJson, scratchFolder, tinyJob, train } from "../support/plume.ts";
import { diffusers } from "../support/python.ts";

const scratch = scratchFolder();
const run = scratch.file("run");
const folder = scratch.file("diffusers");
let job: string;
let summary: Summary;

beforeAll(async () => {
  job = tinyJob(scratch.path, "  checkpoint: { everySteps: 4, keep: 1 }");
  summary = await train(job, run);
  await plumeJson("checkpoints", "export", run, "-o", folder);
});
afterAll(() => scratch[Symbol.dispose]());

describe("plume checkpoints export", () => {
  it("writes the same weights in either format, with the job beside them", async () => {
    const plain = scratch.file("plain");
    const report = await plumeJson("checkpoints", "export", run, "--format", "safetensors", "-o", plain);
    expect(report).toMatchObject({ format: "safetensors", step: 8, weights: "ema", job: "tiny" });
    expect(readdirSync(plain).sort()).toEqual(["job.yaml", "model.safetensors", "plume.json"]);
    const file = readFileSync(`${plain}/model.safetensors`);
    const header = JSON.parse(file.subarray(8, 8 + Number(file.readBigUInt64LE(0))).toString());
    expect(header.__metadata__).toMatchObject({ job: "tiny", step: "8", weights: "ema" });
    const conv = decodeSafetensors(file, "model").get("conv_in.weight")!;
    expect(conv.shape).toEqual([3, 3, 4, 8]);
    const theirs = decodeSafetensors(readFileSync(`${folder}/unet/diffusion_pytorch_model.safetensors`), "diffusers");
    expect(theirs.get("conv_in.weight")!.shape).toEqual([8, 4, 3, 3]);
    expect([...theirs.get("conv_in.weight")!.values].sort()).toEqual([...conv.values].sort());
  });

  it("replaces a folder that is there by --force alone, and leaves nothing beside it", async () => {
    const target = scratch.file("again");
    await plumeJson("checkpoints", "export", run, "-o", target);
    const refused = await plume("checkpoints", "export", run, "--weights", "raw", "-o", target);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("is there already and holds") });
    expect(JSON.parse(readFileSync(`${target}/plume.json`, "utf8")).weights).toBe("ema");
    await plumeJson("checkpoints", "export", run, "--weights", "raw", "-o", target, "--force");
    expect(JSON.parse(readFileSync(`${target}/plume.json`, "utf8")).weights).toBe("raw");
    expect(readdirSync(scratch.path).filter((name) => name.startsWith("."))).toEqual([]);
  });
});

describe("plume sample", () => {
  it("draws the same picture from the run and from both exported formats", async () => {
    const plain = scratch.file("plain-sample");
    await plumeJson("checkpoints", "export", run, "--format", "safetensors", "-o", plain);
    const pictures: Buffer[] = [];
    for (const from of [run, folder, plain]) {
      const file = scratch.file("picture.npy");
      expect(await plumeJson("sample", from, "--count", "4", "-o", file)).toMatchObject({ step: 8, weights: "ema" });
      pictures.push(readFileSync(file));
    }
    expect(pictures[1]!.equals(pictures[0]!)).toBe(true);
    expect(pictures[2]!.equals(pictures[0]!)).toBe(true);
  });

  it("and plume eval take such a folder for what it is: eval's judge refuses it as it does the run", async () => {
    for (const from of [run, folder]) {
      const { code, stderr } = await plume("eval", from);
      expect({ code, stderr }).toMatchObject({
        code: 2,
        stderr: expect.stringContaining("was trained on shapes:256 at 8x8 with 10 classes"),
      });
    }
  });

  it("refuses weights that an exported folder does not have", async () => {
    const { code, stderr } = await plume("sample", folder, "--weights", "raw", "-o", scratch.file("x.png"));
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining("has the ema weights alone") });
  });
});

describe("a run that starts from a folder", () => {
  const one = scratch.file("one");
  const two = scratch.file("two");
  let began: Summary;

  beforeAll(async () => {
    began = await train(job, one, "--init", folder, "--workers", "1", "--steps", "6");
  });

  it("ends with the same bits at another number of workers, imported beforehand, stopped and resumed without the folder", async () => {
    const imported = await plumeJson("checkpoints", "import", folder, "-f", job, "-o", two);
    expect(imported).toMatchObject({ step: 0, init: summary.emaSha256, written: true });
    await train(job, two, "--workers", "2", "--steps", "3");
    const ended = await train(job, two, "--workers", "2", "--steps", "6");
    expect(ended.weightsSha256).toBe(began.weightsSha256);
    expect(ended.emaSha256).toBe(began.emaSha256);
    expect(began.weightsSha256).not.toBe(summary.weightsSha256);
  });

  it("is gone on with by the same command, and refused with other weights", async () => {
    const again = await train(job, one, "--init", folder, "--workers", "1", "--steps", "7");
    expect(again).toMatchObject({ firstStep: 6, steps: 7 });
    const raw = scratch.file("raw");
    await plumeJson("checkpoints", "export", run, "--weights", "raw", "-o", raw);
    const { code, stderr } = await plume("train", "-f", job, "--out", one, "--init", raw, "--steps", "7");
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining("training.init") });
  });

  it("is proved from its start: the ledger whole, and an early step computed again from the imported weights", async () => {
    const report = await plumeJson("audit", two, "--replay", "1");
    expect(report).toMatchObject({ ok: true, replay: { ok: true, from: 0, step: 1 } });
  });

  it("never falls back to fresh weights when its start is gone", async () => {
    rmSync(`${two}/checkpoints`, { recursive: true });
    const { code, stderr } = await plume("train", "-f", job, "--out", two, "--steps", "8");
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining("training.init") });
    const replayed = await plume("audit", two, "--replay", "1");
    expect(replayed).toMatchObject({ code: 2, stderr: expect.stringContaining("training.init") });
  });

  it("may start from a UNet2DModel that plume did not write, once a job says on what to train", async () => {
    const theirs = scratch.file("their-model");
    const unet = {
      ...{ sample_size: 4, in_channels: 4, out_channels: 4, block_out_channels: [8, 16], layers_per_block: 1 },
      ...{ down_block_types: ["DownBlock2D", "DownBlock2D"], up_block_types: ["UpBlock2D", "UpBlock2D"] },
      ...{ norm_num_groups: 4, attention_head_dim: 16, attn_norm_num_groups: 4, num_class_embeds: 10 },
      resnet_time_scale_shift: "scale_shift",
    };
    const scheduler = { beta_schedule: "squaredcos_cap_v2", prediction_type: "v_prediction" };
    diffusers([{ kind: "make", folder: theirs, seed: 2, unet, scheduler }]);
    const picture = scratch.file("theirs.npy");
    expect(await plumeJson("sample", theirs, "--count", "2", "--steps", "3", "-o", picture)).toMatchObject({
      count: 2,
    });

    const wanting = await plume("checkpoints", "import", theirs, "-o", scratch.file("y"));
    expect(wanting).toMatchObject({ code: 2, stderr: expect.stringContaining("-f JOB is needed") });
    expect(wanting.stderr).toMatch(/name: their-model\n.*channels: 8\n.*predict: v\n/s);

    const started = await train(job, scratch.file("theirs"), "--init", theirs, "--workers", "2", "--steps", "2");
    expect(started).toMatchObject({ firstStep: 0, steps: 2 });
    expect(await plumeJson("audit", scratch.file("theirs"), "--replay", "0")).toMatchObject({ ok: true });
  });

  it("is refused for a job of another model, by every field", async () => {
    const other = ["--set", "model.channels=16", "--set", "model.resBlocks=2"];
    const { code, stderr } = await plume("train", "-f", job, "--out", scratch.file("x"), "--init", folder, ...other);
    expect(code).toBe(2);
    expect(stderr).toMatch(/model\.channels and model\.channelMult .*: the folder has \[8,16\], the job \[16,32\]/);
    expect(stderr).toContain("model.resBlocks: the folder has 1, the job 2");
    expect(readdirSync(scratch.path)).not.toContain("x");
  });
});
