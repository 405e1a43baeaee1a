import { mkdirSync, writeFileSync } from "node:fs";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { dataSchema } from "../../shared/config/data.ts";
import type { ImageBatch } from "../../shared/data/image-set.ts";
import { encodeNpy } from "../../shared/data/npy.ts";
import { openImageSet } from "../../shared/data/open.ts";
import { JUDGES } from "../../shared/eval/judge-network.ts";
import { plume, scratchFolder, tinyJob, train } from "../support/plume.ts";

const COUNT = 100;
const scratch = scratchFolder();
const [folder, images, classes] = ["pictures", "images.npy", "classes.npy"].map((name) => scratch.file(name)) as [
  string,
  string,
  string,
];

/** Real ones that nothing was trained on and the reference does not hold, by class: as a folder's files are sorted. */
async function realImages(): Promise<ImageBatch> {
  const test = await openImageSet(dataSchema.parse({ source: "fashion-mnist" }), { split: "test" });
  expect(test.fallback, "npm run setup:data").toBeUndefined();
  const { pixels, labels } = await test.read(Array.from({ length: COUNT }, (_, k) => 7000 + k));
  const order = Array.from(labels.keys()).sort((a, b) => labels[a]! - labels[b]! || a - b);
  const sorted = order.flatMap((k) => [...pixels.subarray(k * 784, (k + 1) * 784)]);
  return { pixels: Uint8Array.from(sorted), labels: Int32Array.from(order, (k) => labels[k]!) };
}

beforeAll(async () => {
  const { pixels, labels } = await realImages();
  for (const [k, label] of labels.entries()) {
    mkdirSync(`${folder}/${label}`, { recursive: true });
    await sharp(pixels.subarray(k * 784, (k + 1) * 784), { raw: { width: 28, height: 28, channels: 1 } })
      .png()
      .toFile(`${folder}/${label}/${String(k).padStart(3, "0")}.png`);
  }
  writeFileSync(images, encodeNpy(pixels, [COUNT, 28, 28, 1]));
  writeFileSync(classes, encodeNpy(Uint8Array.from(labels), [COUNT]));
});

interface Outcome {
  readonly rows: readonly {
    readonly kind: string;
    readonly name: string;
    readonly step?: number;
    readonly sampler?: string;
    readonly steps?: number;
    readonly guidance?: number;
    readonly evaluations?: number;
    readonly seconds?: number;
    readonly metrics: Readonly<Record<string, { mean: number; std: number | null; values: number[] } | null>>;
  }[];
  readonly reference: unknown;
  readonly judge: Readonly<Record<string, string>>;
}

async function evaluated(...args: string[]): Promise<Outcome> {
  const { code, stdout, stderr } = await plume("eval", ...args, "--json");
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Outcome;
}

const row = ({ rows }: Outcome, name: string) => rows.find((each) => each.name === name)!.metrics;

describe("plume eval --against", () => {
  // Where a classifier is trained in half the time.
  const native = ["--backend", "tfjs-node"];
  let told: Outcome;
  beforeAll(async () => {
    told = await evaluated("--against", folder, ...native);
  });

  it("scores a folder of pictures, and says what real and bad ones score", () => {
    const [mine, noise] = [row(told, folder), row(told, "noise")];
    expect(told.judge).toEqual({ features: JUDGES.features.sha256, labels: JUDGES.labels.sha256 });
    expect(mine.accuracy!.mean).toBeGreaterThan(0.8);
    expect(mine.frechet!.mean).toBeLessThan(noise.frechet!.mean / 5);
    expect(mine.kid!.mean).toBeLessThan(row(told, "test images, blurred").kid!.mean);
    expect(row(told, "training images")).toMatchObject({ copies: { mean: 1 }, nearest: { mean: 0 } });
    expect(row(told, "test images, labels shuffled").accuracy!.mean).toBeLessThan(0.3);
    expect(told.rows.map(({ kind }) => kind)).toEqual(["given", "real", "real", "anchor", "anchor", "anchor"]);
  });

  it("measures against the other half of the test images with --split validation", async () => {
    const other = await evaluated("--against", folder, "--split", "validation", ...native);
    expect(other.reference).toEqual({ set: "fashion-mnist", split: "validation", images: 5000 });
    // The given images are of that half, and of its own images every one lies in what they cover.
    expect(row(other, folder).precision!.mean).toBeGreaterThan(row(told, folder).precision!.mean);
    expect(row(other, "real test images").recall!.mean).toBeLessThan(1);
  });

  it("tells with --train-judges what classifiers learn of every row, beside the same figures as without it", async () => {
    const more = await evaluated("--against", folder, "--train-judges", ...native);
    for (const [k, { metrics }] of told.rows.entries()) {
      const { cas, twoSample, ...rest } = more.rows[k]!.metrics;
      expect(rest).toEqual(metrics);
      expect(cas === null).toBe(metrics.accuracy === null);
      expect(twoSample!.mean).toBeGreaterThan(0.2);
    }
    const real = row(more, "real test images");
    expect(real.cas!.mean).toBeGreaterThan(row(more, "test images, labels shuffled").cas!.mean + 0.2);
    expect(row(more, "noise").twoSample!.mean).toBeGreaterThan(0.95);
    // Four standard errors of a hundred held-out ones.
    expect(Math.abs(real.twoSample!.mean - 0.5)).toBeLessThan(0.2);
  });

  it("scores the same images in a .npy file the same, and tells it to people without calling it FID", async () => {
    const { code, stdout, stderr } = await plume("eval", "--against", images, "--labels", classes, ...native);
    expect(code, stderr).toBe(0);
    const line = stdout.split("\n").find((each) => each.startsWith(`${images}  `))!;
    const { accuracy, frechet, kid, precision } = row(told, folder);
    expect(line.slice(images.length).trim().split(/\s+/).slice(0, 4)).toEqual([
      accuracy!.mean.toFixed(3),
      frechet!.mean.toFixed(1),
      kid!.mean.toFixed(3),
      precision!.mean.toFixed(3),
    ]);
    expect(stdout).toContain("Fréchet, judge-64");
    expect(stdout.replace("no FID", "")).not.toContain("FID");
  });
});

describe("plume eval of a checkpoint", () => {
  const out = scratch.file("run");
  beforeAll(async () => {
    const set = [
      "data.source=fashion-mnist",
      "data.imageSize=28",
      "training.steps=4",
      "checkpoint.everySteps=2",
      "sampling.count=0",
      "sampling.steps=2",
    ];
    await train(tinyJob(scratch.path), out, ...set.flatMap((pair) => ["--set", pair]));
  });

  it("tells untrained, early and final images apart by their steps, with each seed's values", async () => {
    const told = await evaluated(out, "--count", "100", "--seeds", "3,4");
    expect(told.rows.slice(0, 3).map(({ name, step }) => [name, step])).toEqual([
      ["untrained, step 0", 0],
      ["early, step 2", 2],
      ["final, step 4", 4],
    ]);
    const { frechet, accuracy } = row(told, "final, step 4");
    expect(new Set(frechet!.values).size).toBe(2);
    expect(frechet!.std).toBeCloseTo(Math.abs(frechet!.values[0]! - frechet!.values[1]!) / Math.SQRT2, 9);
    expect(accuracy!.mean).toBeLessThan(0.5);
    expect(frechet!.mean).toBeGreaterThan(5 * row(told, "real test images").frechet!.mean);
  });

  it("draws every combination of what is listed, and counts the network's evaluations", async () => {
    const lists = ["--sampler", "heun,dpmpp-2m", "--steps", "2,3", "--guidance", "1.5"];
    const { rows } = await evaluated(out, "--count", "100", "--seeds", "0", "--stages", "final", ...lists);
    const drawn = rows.filter(({ kind }) => kind === "generated");
    expect(drawn.map(({ sampler, steps, guidance, evaluations }) => [sampler, steps, guidance, evaluations])).toEqual([
      ["heun", 2, 1.5, 3],
      ["heun", 3, 1.5, 5],
      ["dpmpp-2m", 2, 1.5, 2],
      ["dpmpp-2m", 3, 1.5, 3],
    ]);
    expect(new Set(drawn.map(({ metrics }) => metrics.frechet!.mean)).size).toBe(4);
    expect(drawn[0]!.name).toBe("final, step 4: heun, 2 steps, guidance 1.5");
  });

  it("measures the same whatever number of processes draws, each with every row's weights", async () => {
    const few = ["--count", "100", "--seeds", "0", "--steps", "1,2"];
    const [one, three] = await Promise.all(["1", "3"].map((n) => evaluated(out, ...few, "--workers", n)));
    const untimed = ({ rows }: Outcome) => rows.map(({ seconds: _, ...row }) => row);
    expect(untimed(three!)).toEqual(untimed(one!));
    expect(one!.rows.slice(0, 6).map(({ step, steps, evaluations }) => [step, steps, evaluations])).toEqual([
      ...[1, 2].map((steps) => [0, steps, steps]),
      ...[1, 2].map((steps) => [2, steps, steps]),
      ...[1, 2].map((steps) => [4, steps, steps]),
    ]);
  });
});

describe("plume eval of an upsampler", () => {
  it("draws from test images, shrunk", async () => {
    const out = scratch.file("upsampler");
    const set = [
      ...["data.source=fashion-mnist", "data.imageSize=28", "model.lowRes.size=14"],
      ...["training.steps=1", "sampling.count=0", "sampling.steps=2"],
    ];
    await train(tinyJob(scratch.path), out, ...set.flatMap((pair) => ["--set", pair]));
    const told = await evaluated(out, "--count", "100", "--seeds", "0", "--stages", "final");
    expect(told.rows[0]).toMatchObject({ kind: "generated", name: "final, step 1", step: 1 });
    expect(row(told, "final, step 1").frechet!.mean).toBeGreaterThan(row(told, "real test images").frechet!.mean);
  });
});

describe("plume eval refuses with exit code 2", () => {
  it.each([
    ["no processes that draw", ["runs/x", "--workers", "0"], "--workers 0 is no whole number of at least 1"],
    [
      "processes that draw where nothing is drawn",
      ["runs/x", "--bound", "--workers", "2"],
      "--workers 2 is for images",
    ],
    ["nothing to measure", [], "has nothing to measure"],
    ["images that are not there", ["--against", "no/such"], "no/such: there is no such folder or file"],
    [
      "labels for a checkpoint's images",
      ["runs/x", "--labels", "l.npy"],
      "--labels l.npy is for the images of --against",
    ],
    [
      "what is for a checkpoint without one",
      ["--against", "x", "--seeds", "1"],
      "--seeds 1 is for a checkpoint's images",
    ],
    ["more images than can be compared", ["runs/x", "--count", "6000"], "--count 6000 is above 5000"],
    ["a sampler in a list that is none", ["runs/x", "--sampler", "heun,hein"], "--sampler hein is unknown"],
    [
      "what is for images where there are none",
      ["runs/x", "--bound", "--train-judges"],
      "--train-judges is for images",
    ],
    ["an unknown stage", ["runs/x", "--stages", "late"], "--stages late is unknown"],
    ["a seed that is none", ["runs/x", "--seeds", "1,a"], "--seeds a is no whole number"],
  ])("%s", async (_, args, words) => {
    const { code, stderr } = await plume("eval", ...args);
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining(words) });
  });
});
