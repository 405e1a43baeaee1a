import { beforeAll, describe, expect, it } from "vitest";
import { dataSchema } from "../../shared/config/data.ts";
import { openImageSet } from "../../shared/data/open.ts";
import { blurred, noise, shuffledLabels } from "../../shared/eval/anchors.ts";
import { type Judges, openJudges } from "../../shared/eval/judge.ts";
import { learnedOf } from "../../shared/eval/learned.ts";
import { nearestDistances } from "../../shared/eval/nearest.ts";
import { type Examined, examine, type LabelledImages, score } from "../../shared/eval/score.ts";
import { testBackend } from "../support/backend.ts";

const COUNT = 1000;
const SIZE = 784;
let judges: Judges;
let train: Uint8Array;
let real: LabelledImages & { readonly labels: Int32Array };
let reference: Examined;

beforeAll(async () => {
  await testBackend();
  const data = dataSchema.parse({ source: "fashion-mnist" });
  const read = async (split: "train" | "test", from: number, n: number) => {
    const set = await openImageSet(data, { split });
    expect(set.fallback, "the judges are tested on the real images: npm run setup:data").toBeUndefined();
    return set.read(Array.from({ length: n }, (_, k) => from + k));
  };
  train = (await read("train", 0, 4 * COUNT)).pixels;
  real = await read("test", COUNT, COUNT);
  judges = openJudges();
  reference = examine(judges, await read("test", 0, COUNT), train);
});

const scoreOf = (images: LabelledImages) => score(examine(judges, images, train), reference);

describe("the judges of plume eval", () => {
  it("know images that they were not trained on, and put real ones close to real ones and bad ones far away", () => {
    const good = scoreOf(real);
    expect(good.accuracy).toBeGreaterThan(0.85);
    expect(good.precision).toBeGreaterThan(0.7);
    expect(good.recall).toBeGreaterThan(0.7);
    const soft = scoreOf({ ...real, pixels: blurred(real.pixels, 28) });
    const lost = scoreOf({ ...real, pixels: noise(real.pixels.length, 0) });
    expect(lost.accuracy).toBeLessThan(0.3);
    expect(lost.recall).toBeLessThan(0.1);
    for (const metric of ["frechet", "kid"] as const) {
      expect(soft[metric]).toBeGreaterThan(3 * good[metric]!);
      expect(lost[metric]).toBeGreaterThan(2 * soft[metric]!);
    }
  });

  it("give wrong labels no credit, and images without labels no accuracy", () => {
    const shuffled = scoreOf({ ...real, labels: shuffledLabels(real.labels) });
    expect(shuffled.accuracy).toBeLessThan(0.2);
    expect(shuffled.frechet).toBeLessThan(20);
    expect(scoreOf({ ...real, labels: null }).accuracy).toBeNull();
  });

  it("tell images learned by heart from new ones", () => {
    const copied = scoreOf({ pixels: train.subarray(0, 200 * SIZE), labels: null });
    expect(copied).toMatchObject({ nearest: 0, copies: 1 });
    expect(scoreOf(real).copies).toBeLessThan(0.05);
  });
});

describe("classifiers that learn from images alone", () => {
  const N = 400;
  const calm = async () => {};
  const first = (n: number) => ({ pixels: real.pixels.subarray(0, n * SIZE), labels: real.labels.subarray(0, n) });
  const learn = (images: LabelledImages) => learnedOf(images, others, calm);
  let others: LabelledImages & { readonly labels: Int32Array };
  beforeAll(() => {
    const at = (COUNT - N) * SIZE;
    others = { pixels: real.pixels.subarray(at), labels: real.labels.subarray(COUNT - N) };
  });

  it("learn classes of real images, cannot tell them from others, and learn the same again", async () => {
    const learned = await learn(first(N));
    expect(learned.classificationAccuracy).toBeGreaterThan(0.65);
    // Four standard errors of so many held-out ones.
    expect(Math.abs(learned.twoSample - 0.5)).toBeLessThan(2 / Math.sqrt(N));
    expect(await learn(first(N))).toEqual(learned);
  });

  it("learn nothing of wrong labels and tell noise from real images at once", async () => {
    const shuffled = await learn({ ...first(N), labels: shuffledLabels(first(N).labels) });
    expect(shuffled.classificationAccuracy).toBeLessThan(0.3);
    const lost = await learn({ pixels: noise(N * SIZE, 0), labels: null });
    expect(lost).toMatchObject({ classificationAccuracy: null, twoSample: expect.closeTo(1, 1) });
  });

  it("see the halves of images that lie in the order of their classes mixed", async () => {
    const order = Array.from({ length: N }, (_, k) => k).sort((a, b) => real.labels[a]! - real.labels[b]!);
    const pixels = Uint8Array.from(order.flatMap((k) => [...real.pixels.subarray(k * SIZE, (k + 1) * SIZE)]));
    const { twoSample } = await learn({ pixels, labels: null });
    expect(Math.abs(twoSample - 0.5)).toBeLessThan(2 / Math.sqrt(N));
  });
});

describe("the distance to the nearest of many", () => {
  it("is that of the nearest, wherever it lies, and exact", () => {
    const others = train.subarray(0, 4 * COUNT * SIZE);
    const images = real.pixels.subarray(0, 3 * SIZE);
    const found = nearestDistances(images, others, SIZE);
    for (let i = 0; i < 3; i++) {
      let least = Number.POSITIVE_INFINITY;
      for (let j = 0; j < 4 * COUNT; j++) {
        let sum = 0;
        for (let k = 0; k < SIZE; k++) sum += (images[i * SIZE + k]! - others[j * SIZE + k]!) ** 2;
        least = Math.min(least, Math.sqrt(sum) / 255);
      }
      expect(found[i]).toBeCloseTo(least, 12);
    }
  });
});

describe("blurring", () => {
  it("spreads a point to its neighbours, keeps its sum, and leaves a plain image as it is", () => {
    const point = new Uint8Array(2 * SIZE).fill(7, SIZE);
    point[14 * 28 + 14] = 255;
    const soft = blurred(point, 28);
    const first = soft.subarray(0, SIZE);
    expect(Math.max(...first)).toBe(first[14 * 28 + 14]);
    expect(first[14 * 28 + 13]).toBe(first[13 * 28 + 14]);
    expect(first.reduce((sum, v) => sum + v, 0)).toBeGreaterThan(200);
    expect(first[0]).toBe(0);
    expect([...soft.subarray(SIZE)]).toEqual(new Array(SIZE).fill(7));
  });
});
