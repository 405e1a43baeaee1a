// An upsampler from its own training job to a cascade: what it draws of a base model's images, of files, and of its own data.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeNpy, encodeNpy, imagesOf } from "../../shared/data/npy.ts";
import { openShapes } from "../../shared/data/sources/shapes.ts";
import { shrunk } from "../../shared/pipeline/low-res.ts";
import type { Summary } from "../../shared/summary.ts";
import { plume, plumeJson, scratchFolder, tinyJob, train } from "../support/plume.ts";

const scratch = scratchFolder();
const sets = (...pairs: string[]) => pairs.flatMap((pair) => ["--set", pair]);
const LOW_RES = sets("model.lowRes.size=4", "model.lowRes.noise=0.2", "sampling.lowResNoise=0.1");
const [one, three, base] = ["one", "three", "base"].map((name) => scratch.file(name)) as [string, string, string];
let job: string;
let alone: Summary;

/** Drawn into an array: uint8 [n, 8, 8, 1]. */
async function drawn(...args: string[]): Promise<Buffer> {
  const file = scratch.file("drawn.npy");
  await plumeJson("sample", ...args, "-o", file);
  return Buffer.from(pixelsIn(file));
}

const pixelsIn = (file: string): Uint8Array => {
  const broken = (why: string) => new Error(why) as never;
  return imagesOf(decodeNpy(readFileSync(file), broken), broken).pixels;
};

const grids = (out: string) =>
  readdirSync(join(out, "samples")).map((name) => readFileSync(join(out, "samples", name)).toString("base64"));

beforeAll(async () => {
  job = tinyJob(scratch.path);
  alone = await train(job, one, "--workers", "1", ...LOW_RES);
  await train(job, base, ...sets("data.imageSize=4"));
});
afterAll(() => scratch[Symbol.dispose]());

describe("an upsampler's job", () => {
  it("ends with the same weights and the same grid at one and at three workers, and its steps can be computed again", async () => {
    const shared = await train(job, three, "--workers", "3", ...LOW_RES);
    expect(shared.weightsSha256).toBe(alone.weightsSha256);
    expect(shared.emaSha256).toBe(alone.emaSha256);
    expect(grids(one)).toHaveLength(1);
    expect(grids(three)).toEqual(grids(one));
    expect(await plumeJson("audit", three, "--replay", "5")).toMatchObject({ ok: true, replay: { ok: true } });
  });

  it("shows in its grid what each image was drawn from", async () => {
    const [grid] = readdirSync(join(one, "samples"));
    const { width, height } = await sharp(join(one, "samples", grid!)).metadata();
    // Ten pairs, three side by side; cells as below.
    expect([width, height]).toEqual([3 * 2 * 84 + 4, 18 + 4 * 84 + 4]);
  });

  it("learns another network than without what it is told", async () => {
    const plain = await train(job, scratch.file("plain"), "--steps", "1", ...sets("model.lowRes.size=4"));
    expect(plain.weightsSha256).not.toBe(alone.weightsSha256);
    const { code, stderr } = await plume(
      "train",
      "-f",
      job,
      "--out",
      one,
      "--steps",
      "9",
      ...sets("model.lowRes.size=2"),
    );
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining("model.lowRes") });
  });
});

describe("plume sample with an upsampler", () => {
  it("enlarges a base model's images, the same with any number of processes and in two commands", async () => {
    const at = ["--count", "20"];
    const file = scratch.file("small.npy");
    const cascade = await drawn(one, "--base", base, ...at, "--workers", "1");
    expect(cascade.length).toBe(20 * 64);
    expect(await drawn(one, "--base", base, ...at, "--workers", "3")).toEqual(cascade);
    await plumeJson("sample", base, ...at, "--class", "3", "-o", file);
    expect(await drawn(one, "--images", file, "--class", "3")).toEqual(
      await drawn(one, "--base", base, ...at, "--class", "3"),
    );
    expect(await drawn(one, "--base", base, ...at, "--low-res-noise", "0")).not.toEqual(cascade);
    expect(await drawn(one, "--base", base, ...at, "--seed", "1")).not.toEqual(cascade);
  });

  it("enlarges its own data, shrunk, as arrays and as pictures", async () => {
    const { pixels, labels } = await openShapes(256, 8).read([5, 9]);
    const small = shrunk(pixels, { height: 8, width: 8, channels: 1 }, 4);
    const ofData = await drawn(one, "--from-data", "train", "--indices", "5,9");
    expect(ofData.length).toBe(2 * 64);
    const file = scratch.file("shrunk.npy");
    writeFileSync(file, encodeNpy(small.slice(0, 16), [1, 4, 4, 1]));
    const first = ["--class", String(labels[0])];
    expect(await drawn(one, "--images", file, ...first)).toEqual(ofData.subarray(0, 64));
    mkdirSync(scratch.file("pictures"));
    const raw = { width: 4, height: 4, channels: 1 as const };
    await sharp(small.slice(0, 16), { raw }).png().toFile(scratch.file("pictures", "a.png"));
    expect(await drawn(one, "--images", scratch.file("pictures"), ...first)).toEqual(ofData.subarray(0, 64));
    const large = scratch.file("large.npy");
    writeFileSync(large, encodeNpy(pixels.slice(0, 64), [1, 8, 8, 1]));
    expect(await drawn(one, "--images", large, "--resize", ...first)).toEqual(ofData.subarray(0, 64));
  });

  it("shows what it was given beside what it drew, and the original where there is one", async () => {
    const [cascade, data] = [scratch.file("cascade.png"), scratch.file("data.png")];
    expect(await plumeJson("sample", one, "--base", base, "--count", "3", "-o", cascade)).toMatchObject({
      count: 3,
      base: expect.stringContaining("step-000000008"),
      lowResNoise: 0.1,
    });
    expect(await plumeJson("sample", one, "--from-data", "test", "--indices", "0,1,2", "-o", data)).toMatchObject({
      count: 3,
      fromData: "test",
    });
    const sides = await Promise.all(
      [cascade, data].map(async (file) => {
        const { width, height } = await sharp(file).metadata();
        return [width, height];
      }),
    );
    // Cells of 8 pixels, ten times as large, with gutters and a caption.
    expect(sides).toEqual([
      [2 * 2 * 84 + 4, 18 + 2 * 84 + 4],
      [3 * 84 + 4, 18 + 3 * 84 + 4],
    ]);
  });

  it("is told of by plume likelihood, given the images themselves, shrunk", async () => {
    const told = await plumeJson("likelihood", one, "--count", "2");
    expect(told).toMatchObject({ kind: "bound", images: 2 });
  });
});

describe("an upsampler's weights", () => {
  it("go through safetensors, and through diffusers where they are told no level of noise", async () => {
    const [plain, there] = [scratch.file("untold"), scratch.file("safetensors")];
    const of = ["--from-data", "train", "--indices", "1,2"];
    await plumeJson("checkpoints", "export", one, "--format", "safetensors", "-o", there);
    expect(await drawn(there, ...of)).toEqual(await drawn(one, ...of));
    const { code, stderr } = await plume("checkpoints", "export", one, "-o", scratch.file("diffusers"));
    expect({ code, stderr }).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/no form of an upsampler that is told a level of noise[\s\S]*--format safetensors/),
    });
    await train(job, plain, "--steps", "2", ...sets("model.lowRes.size=4"));
    const folder = scratch.file("exported");
    await plumeJson("checkpoints", "export", plain, "-o", folder);
    expect(JSON.parse(readFileSync(`${folder}/unet/config.json`, "utf8"))).toMatchObject({
      in_channels: 8,
      out_channels: 4,
    });
    expect(await drawn(folder, ...of)).toEqual(await drawn(plain, ...of));
  });
});

describe("is refused, with what helps:", () => {
  const small = scratch.file("wrong.npy");
  const large = scratch.file("large");
  beforeAll(async () => {
    writeFileSync(small, encodeNpy(new Uint8Array(50), [2, 5, 5, 1]));
    await train(job, large, "--steps", "1");
  });

  it.each<[string, () => string[], RegExp]>([
    ["an upsampler without images", () => [one], /is an upsampler: it draws from images of 4x4\n.*--base CHECKPOINT/],
    [
      "images of another size",
      () => [one, "--images", small],
      /5x5, the upsampler's low-resolution images are 4x4\n.*--resize/,
    ],
    [
      "a base of another size",
      () => [one, "--base", large],
      /--base .* draws images of 8x8x1, the upsampler takes 4x4x1\n.*data\.imageSize 4/,
    ],
    [
      "a base that is an upsampler",
      () => [one, "--base", one],
      /--base .* is an upsampler of images of 4x4\n.*write its images first .*--images base\.npy/,
    ],
    [
      "a prompt that neither model reads",
      () => [one, "--base", base, "--prompt", "red circle"],
      /: \S*base reads no captions/,
    ],
    ["a base for another model", () => [base, "--base", one], /--base .* is no upsampler\n.*model\.lowRes/],
    [
      "two kinds of images",
      () => [one, "--base", base, "--images", small],
      /--base .* and --images: images are drawn from one/,
    ],
    [
      "a count of images that are there",
      () => [one, "--images", small, "--count", "3"],
      /--count 3 is of images that --base draws/,
    ],
    [
      "more noise than it has seen",
      () => [one, "--base", base, "--low-res-noise", "0.5"],
      /--low-res-noise 0\.5 is above the 0\.2/,
    ],
  ])("%s", async (_, args, words) => {
    const { code, stderr } = await plume("sample", ...args(), "-o", scratch.file("never.npy"));
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringMatching(words) });
  });

  it("an upsampler that is to edit images", async () => {
    const { code, stderr } = await plume(
      "edit",
      "reconstruct",
      one,
      "--from-data",
      "train",
      "-o",
      scratch.file("never.png"),
    );
    expect({ code, stderr }).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/is an upsampler of images of 4x4\n/),
    });
  });

  it("weights that are not finite, by the tensor's name", async () => {
    const folder = scratch.file("spoilt");
    await plumeJson("checkpoints", "export", base, "--format", "safetensors", "-o", folder);
    const file = `${folder}/model.safetensors`;
    const bytes = readFileSync(file);
    bytes.writeFloatLE(Number.NaN, bytes.length - 4);
    writeFileSync(file, bytes);
    const card = JSON.parse(readFileSync(`${folder}/plume.json`, "utf8"));
    const { createHash } = await import("node:crypto");
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    writeFileSync(`${folder}/plume.json`, JSON.stringify({ ...card, sha256 }));
    const { code, stderr } = await plume("sample", one, "--base", folder, "-o", scratch.file("never.npy"));
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/the weights \S+ hold numbers that are not finite\n.*earlier checkpoint/),
    });
  });
});
