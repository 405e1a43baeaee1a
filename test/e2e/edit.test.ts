// plume edit, on models that were trained for a few steps: what comes out is coarse, and what must hold, holds.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { decodeNpy, encodeNpy } from "../../shared/data/npy.ts";
import { openShapes } from "../../shared/data/sources/shapes.ts";
import { plume, plumeJson, scratchFolder, startPlume, tinyJob, train, until } from "../support/plume.ts";

const scratch = scratchFolder();
const [run, colours] = [scratch.file("run"), scratch.file("colours")];
const SIZE = 64;

const png = (file: string, pixels: Uint8Array, width: number, height: number, channels: 1 | 3 = 1) =>
  sharp(pixels, { raw: { width, height, channels } }).png().toFile(scratch.file(file));

const npy = (file: string, values: Uint8Array, ...shape: number[]) => {
  writeFileSync(scratch.file(file), encodeNpy(values, shape));
  return scratch.file(file);
};

beforeAll(async () => {
  await train(tinyJob(scratch.path), run, "--steps", "3");
  for (const name of ["a", "b"]) mkdirSync(scratch.file("flags", name), { recursive: true });
  for (let k = 0; k < 8; k++)
    await png(
      `flags/${k < 4 ? "a" : "b"}/${k}.png`,
      Uint8Array.from({ length: 3 * SIZE }, (_, i) => (i * (k + 3) * 5) % 256),
      8,
      8,
      3,
    );
  const job = [`data.source=images:${scratch.file("flags")}`, "model.classes=2", "diffusion.process=vp"];
  const sampling = ["sampling.sampler=heun", "sampling.guidance=1", "diffusion.labelDrop=0"];
  const set = [...job, ...sampling].flatMap((pair) => ["--set", pair]);
  await train(tinyJob(scratch.path), colours, "--steps", "2", ...set);
});

const json = (...args: string[]) => plumeJson("edit", ...args);

/** uint8, from an array that was written. */
async function made(...args: string[]): Promise<Uint8Array> {
  const file = scratch.file("made.npy");
  await json(...args, "-o", file);
  const broken = (why: string) => new Error(why) as never;
  return decodeNpy(readFileSync(file), broken).values;
}

const imageAt = (pixels: Uint8Array, k: number) => [...pixels.subarray(k * SIZE, (k + 1) * SIZE)];

const DATA = ["--from-data", "train", "--indices", "5,0,9"];
const TASKS: readonly (readonly [string, ...string[]])[] = [
  ["inpaint", "--mask", "center"],
  ["inpaint", "--mask", "random:0.6", "--method", "repaint", "--sampler", "ancestral", "--jump-length", "2"],
  ["super-resolution", "--factor", "4", "--method", "null-space", "--sampler", "dpmpp-2m"],
  ["image-to-image", "--strength", "0.7", "--class", "ring"],
  ["reconstruct"],
];

describe.each(TASKS)("plume edit %s (%s %s)", (task, ...options) => {
  it("draws before and after, a column each, and tells what it did", async () => {
    const file = scratch.file("grid.png");
    expect(await json(task, run, ...DATA, ...options, "-o", file)).toMatchObject({ task, count: 3, step: 3, file });
    const { width, height } = await sharp(file).metadata();
    // Cells of 8 pixels, ten times as large, with gutters and a caption.
    expect([width, height]).toEqual([3 * 84 + 4, 18 + 3 * 84 + 4]);
  });

  it("makes the same of an image in whatever order, number and form it is given", async () => {
    const three = await made(task, run, ...DATA, ...options);
    const other = await made(task, run, "--from-data", "train", "--indices", "9,5", ...options);
    expect(imageAt(other, 0)).toEqual(imageAt(three, 2));
    expect(imageAt(other, 1)).toEqual(imageAt(three, 0));
    const { pixels, labels } = await openShapes(256, 8).read([5]);
    await png("shape.png", pixels, 8, 8);
    const own = options.includes("--class") ? [] : ["--class", String(labels[0])];
    const alone = await made(task, run, "--images", scratch.file("shape.png"), ...own, ...options);
    expect([...alone]).toEqual(imageAt(three, 0));
  });
});

describe("plume edit", () => {
  it("inpaints what the mask covers and nothing else, from a picture or an array", async () => {
    const mask = Uint8Array.from({ length: SIZE }, (_, k) => Number(k % 8 < 3));
    await png(
      "mask.png",
      mask.map((v) => 255 * v),
      8,
      8,
    );
    const { pixels } = await openShapes(256, 8).read([5, 0, 9]);
    const after = await made("inpaint", run, ...DATA, "--mask", scratch.file("mask.png"));
    const differ = pixels.map((value, k) => Number(value !== after[k]));
    expect(differ.filter((_, k) => mask[k % SIZE] === 0)).not.toContain(1);
    expect(differ.filter((_, k) => mask[k % SIZE] === 1)).toContain(1);
    for (const [file, values, shape] of [
      ["one.npy", mask, [8, 8]],
      ["each.npy", new Uint8Array(Buffer.concat([mask, mask, mask])), [3, 8, 8]],
    ] as const)
      expect(await made("inpaint", run, ...DATA, "--mask", npy(file, values, ...shape))).toEqual(after);
  });

  it("interpolates pairs, each a row with its ends, which come back nearly", async () => {
    const file = scratch.file("between.png");
    const args = ["--from-data", "train", "--indices", "1,2,3,4", "--frames", "3", "--steps", "100"];
    const told = await json("interpolate", run, ...args, "-o", file);
    expect(told).toMatchObject({ count: 4, frames: 3, guidance: 1, sampler: "ddim" });
    expect(told.error as number).toBeLessThan(30);
    expect((await sharp(file).metadata()).width).toBe(5 * 84 + 4);
    expect((await made("interpolate", run, ...args)).length).toBe(2 * 3 * SIZE);
  });

  it("colours grey, and keeps it", async () => {
    const after = await made("colorize", colours, "--images", scratch.file("flags"), "--class", "a");
    const flags = Array.from({ length: 8 }, (_, k) => scratch.file("flags", k < 4 ? "a" : "b", `${k}.png`));
    const data = Buffer.concat(await Promise.all(flags.map((file) => sharp(file).raw().toBuffer())));
    expect(after.length).toBe(data.length);
    const sum = (pixels: Uint8Array, k: number) => pixels[3 * k]! + pixels[3 * k + 1]! + pixels[3 * k + 2]!;
    // Where no channel was cut off at its end.
    const inside = Array.from({ length: 8 * SIZE }, (_, k) => k).filter((k) =>
      after.subarray(3 * k, 3 * k + 3).every((v) => v > 0 && v < 255),
    );
    expect(inside.length).toBeGreaterThan(10);
    for (const k of inside) expect(Math.abs(sum(after, k) - sum(data, k))).toBeLessThanOrEqual(3);
  });

  it("crops and resizes pictures that are larger, when it is told to", async () => {
    await png("large.png", new Uint8Array(20 * 16).fill(200), 20, 16);
    const args = ["image-to-image", run, "--images", scratch.file("large.png"), "--resize", "--strength", "0.1"];
    expect((await made(...args)).length).toBe(SIZE);
  });

  it("takes images that are small already for what super-resolution keeps", async () => {
    const small = Uint8Array.from({ length: 16 }, (_, k) => 90 + 5 * k);
    const blocks = Uint8Array.from(
      { length: SIZE },
      (_, k) => small[Math.floor(k / 16) * 4 + Math.floor((k % 8) / 2)]!,
    );
    await png("small.png", small, 4, 4);
    const args = ["super-resolution", run, "--factor", "2", "--class", "disc", "--images"];
    const after = await made(...args, npy("blocks.npy", blocks, 1, 8, 8, 1));
    expect(await made(...args, scratch.file("small.png"))).toEqual(after);
    expect(await made(...args, npy("small.npy", small, 1, 4, 4, 1))).toEqual(after);
  });

  it("stops at Ctrl-C, and leaves no picture", async () => {
    const out = scratch.file("never.png");
    const flags = ["--images", scratch.file("flags"), "--class", "a"];
    const args = ["reconstruct", colours, ...flags, "--steps", "100000", "-o", out];
    const { child, finished } = startPlume(["edit", ...args]);
    let heard = "";
    child.stderr!.on("data", (bytes: Buffer) => {
      heard += bytes;
    });
    await until("progress", () => /images 1 to 8 of 8: step \d+ of 99999/.test(heard));
    child.kill("SIGINT");
    expect((await finished).code).toBe(130);
    expect(existsSync(out)).toBe(false);
  });

  it("shows an example of each task", async () => {
    const { code, stdout } = await plume("edit", "--help");
    expect(code).toBe(0);
    for (const task of [
      "inpaint",
      "colorize",
      "super-resolution",
      "image-to-image",
      "interpolate",
      "reconstruct",
      "variations",
    ])
      expect(stdout).toContain(`  plume edit ${task} runs/`);
    expect((await plume("edit", "inpaint", "--help")).stdout).toMatch(/Example:\n {2}plume edit inpaint runs\//);
  });
});

describe("a mistake is said before any work", () => {
  const MISTAKES: readonly (readonly [string, readonly string[], readonly (string | RegExp)[]])[] = [
    ["no images", ["inpaint", "RUN", "--mask", "center"], ["either --images or --from-data"]],
    ["an image that is not there", ["reconstruct", "RUN", "--images", "none.png"], ["none.png", "no such file"]],
    ["an image of another size", ["reconstruct", "RUN", "--images", "LARGE"], ["20x16", "8x8", "--resize"]],
    ["an array of colours for a grey model", ["reconstruct", "RUN", "--images", "RGB"], ["3 channels", "model's 1"]],
    [
      "an image that the set has not",
      ["reconstruct", "RUN", "--from-data", "train", "--indices", "256"],
      ["256", "0 to 255"],
    ],
    ["indices of files", ["reconstruct", "RUN", "--images", "LARGE", "--indices", "1"], ["--indices 1", "--from-data"]],
    ["no mask", ["inpaint", "RUN", ...DATA], ["no --mask", "--mask center"]],
    ["a mask of another shape", ["inpaint", "RUN", ...DATA, "--mask", "LARGE"], ["20x16", "8x8"]],
    ["masks for other images", ["inpaint", "RUN", ...DATA, "--mask", "TWO"], ["[2, 8, 8]", "the 3 images"]],
    ["a mask that covers nothing", ["inpaint", "RUN", ...DATA, "--mask", "NOTHING"], ["covers nothing"]],
    ["a mask that covers all", ["inpaint", "RUN", ...DATA, "--mask", "ALL"], ["covers everything", "plume sample"]],
    ["a mask by no known name", ["inpaint", "RUN", ...DATA, "--mask", "middle"], ["middle", "center"]],
    ["a share that is none", ["inpaint", "RUN", ...DATA, "--mask", "random:1"], ["random:1", "(0, 1)"]],
    ["strength 0", ["image-to-image", "RUN", ...DATA, "--strength", "0"], ["--strength 0", "(0, 1]"]],
    ["strength above 1", ["image-to-image", "RUN", ...DATA, "--strength", "1.5"], ["--strength 1.5", "(0, 1]"]],
    ["colours on a grey model", ["colorize", "RUN", ...DATA], ["one channel"]],
    ["a factor that does not divide", ["super-resolution", "RUN", ...DATA, "--factor", "3"], ["--factor 3", "2, 4, 8"]],
    ["an odd number of ends", ["interpolate", "RUN", ...DATA], ["3 images", "pairs"]],
    [
      "variations by a model that is told no embeddings",
      ["variations", "RUN", ...DATA],
      ["is told no embeddings of CLIP", "deploy/jobs/decoder.yaml"],
    ],
    [
      "a sampler of another process",
      ["inpaint", "RUN", ...DATA, "--mask", "left", "--sampler", "pc"],
      ["pc does not fit"],
    ],
    [
      "a sampler that cannot hold",
      ["inpaint", "RUN", ...DATA, "--mask", "left", "--sampler", "dpmpp-2m"],
      ["dpmpp-2m", "null-space"],
    ],
    ["a sampler that cannot encode", ["reconstruct", "RUN", ...DATA, "--sampler", "ancestral"], ["ancestral", "ddim"]],
    ["noise on the way back", ["reconstruct", "RUN", ...DATA, "--eta", "0.5"], ["--eta 0.5"]],
    [
      "a stretch as long as the way",
      ["inpaint", "RUN", ...DATA, "--mask", "left", "--method", "repaint", "--steps", "10"],
      ["--jump-length 10", "10 steps"],
    ],
    [
      "resamplings of another method",
      ["inpaint", "RUN", ...DATA, "--mask", "left", "--resamplings", "3"],
      ["--resamplings 3", "repaint"],
    ],
    ["no class for a model that knows nothing else", ["colorize", "COLOURS", "--images", "FLAGS"], ["--class", "a, b"]],
    ["a class that is none", ["image-to-image", "RUN", ...DATA, "--class", "cat"], ["--class cat", "disc"]],
    ["a task that is none", ["sharpen", "RUN"], ["unknown command"]],
  ];

  beforeAll(async () => {
    await png("large.png", new Uint8Array(20 * 16).fill(200), 20, 16);
    npy("rgb.npy", new Uint8Array(3 * SIZE), 1, 8, 8, 3);
    npy("nothing.npy", new Uint8Array(SIZE), 8, 8);
    npy("all.npy", new Uint8Array(SIZE).fill(1), 8, 8);
    npy("two.npy", new Uint8Array(2 * SIZE).fill(1), 2, 8, 8);
  });
  const FILES: Readonly<Record<string, string>> = {
    RUN: run,
    COLOURS: colours,
    FLAGS: scratch.file("flags"),
    LARGE: scratch.file("large.png"),
    RGB: scratch.file("rgb.npy"),
    NOTHING: scratch.file("nothing.npy"),
    ALL: scratch.file("all.npy"),
    TWO: scratch.file("two.npy"),
  };

  it.each(MISTAKES)("%s", async (_what, args, words) => {
    const out = scratch.file("never.png");
    const { code, stderr } = await plume("edit", ...args.map((word) => FILES[word] ?? word), "-o", out);
    expect(code, stderr).toBe(2);
    for (const word of words) expect(stderr).toMatch(word);
    expect(stderr).not.toMatch(/step \d+ of|^\s+at /m);
    expect(existsSync(out)).toBe(false);
  });
});
