// ADM's noised classifier from its own training job to the pictures that it guides.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeNpy, imagesOf } from "../../shared/data/npy.ts";
import { PlumeError } from "../../shared/errors.ts";
import { loadModel } from "../../shared/interop/load-model.ts";
import { logLikelihood } from "../../shared/nn/log-likelihood.ts";
import { createLogits } from "../../shared/pipeline/classifier.ts";
import { normalise } from "../../shared/pipeline/images.ts";
import type { Summary } from "../../shared/summary.ts";
import { testBackend } from "../support/backend.ts";
import { linesOf, plume, plumeJson, scratchFolder, tinyJob, train } from "../support/plume.ts";

const scratch = scratchFolder();
const sets = (...pairs: string[]) => pairs.flatMap((pair) => ["--set", pair]);
const CLASSIFIER = sets(
  ...["model.type=classifier", "diffusion.objective=cross-entropy", "sampling.guidance=1"],
  ...["training.steps=100", "training.optimizer.weightDecay=0.05"],
);
const [one, three] = [scratch.file("one"), scratch.file("three")];
let job: string;
let alone: Summary;

const digest = (file: string) => createHash("sha256").update(readFileSync(file)).digest("hex");

beforeAll(async () => {
  job = tinyJob(scratch.path);
  alone = await train(job, one, "--workers", "1", ...CLASSIFIER);
});
afterAll(() => scratch[Symbol.dispose]());

describe("a classifier's job", () => {
  it("ends with the same weights at one and at three workers, and its steps can be computed again", async () => {
    const shared = await train(job, three, "--workers", "3", ...CLASSIFIER);
    expect(shared.weightsSha256).toBe(alone.weightsSha256);
    expect(shared.emaSha256).toBe(alone.emaSha256);
    expect(await plumeJson("audit", three, "--replay", "30")).toMatchObject({ ok: true, replay: { ok: true } });
  });

  it("has its cross-entropy in the ledger, ln 10 at first and less soon, and draws no pictures", () => {
    const losses = linesOf(join(one, "ledger.ndjson")).map((line) => (JSON.parse(line) as { loss: number }).loss);
    expect(losses).toHaveLength(100);
    expect(losses[0]).toBeCloseTo(Math.log(10), 0);
    expect(losses.at(-1)).toBeLessThan(losses[0]!);
    expect(alone.sampleGrid).toBeNull();
    expect(readdirSync(join(one, "samples"))).toEqual([]);
  });

  it("is told by plume eval as accuracy at ten levels of noise, least first", async () => {
    const told = await plumeJson("eval", one, "--count", "100");
    const levels = told.levels as { t: number; noise: number; accuracy: number; crossEntropy: number }[];
    expect(told).toMatchObject({ images: 100, classes: 10, heldOut: false });
    expect(levels.map(({ t }) => t)).toEqual([50, 150, 250, 350, 450, 550, 650, 750, 850, 950]);
    for (const { accuracy, crossEntropy } of levels) {
      expect(accuracy).toBeGreaterThanOrEqual(0);
      expect(accuracy).toBeLessThanOrEqual(1);
      expect(crossEntropy).toBeLessThan(4);
    }
    expect(levels[0]!.noise).toBeLessThan(levels[9]!.noise);
    const { stdout } = await plume("eval", one, "--count", "100");
    expect(stdout).toContain("images that it was trained on (the source has no others)");
    expect(stdout).toMatch(/^950 .* 0\.\d{3}/m);
  });

  it("is exported as safetensors, which plume reads like the run, and refused by a format that has no form of it", async () => {
    const folder = scratch.file("exported");
    await plumeJson("checkpoints", "export", one, "--format", "safetensors", "-o", folder);
    expect((await plumeJson("eval", folder, "--count", "100")).levels).toEqual(
      (await plumeJson("eval", one, "--count", "100")).levels,
    );
    const { code, stderr } = await plume("checkpoints", "export", one, "-o", scratch.file("diffusers"));
    expect({ code, stderr }).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/--format diffusers has no form of a classifier[\s\S]*--format safetensors/),
    });
  });
});

describe("pictures under a classifier", () => {
  const model = scratch.file("model");
  const guided = sets(`models.classifier.from=file://${one}`, "sampling.classifierScale=4");
  const grids = (out: string) => readdirSync(join(out, "samples")).map((name) => digest(join(out, "samples", name)));

  const alongside = scratch.file("guided-1");
  let weights: Summary;

  beforeAll(async () => {
    await train(job, model, "--workers", "1");
    weights = await train(job, alongside, "--workers", "1", ...guided);
  });

  it("are the same at one and at three workers, others than without it, and the weights are the same as without it", async () => {
    const shared = scratch.file("guided-3");
    await train(job, shared, "--workers", "3", ...guided);
    expect(grids(alongside)).toHaveLength(1);
    expect(grids(shared)).toEqual(grids(alongside));
    expect(grids(alongside)).not.toEqual(grids(model));
    expect(weights.weightsSha256).toBe((await train(job, model)).weightsSha256);
  });

  it("are drawn by plume sample as in the run, by --classifier or by the run's own", async () => {
    const [by, own, none] = ["by.npy", "own.npy", "none.npy"].map((name) => scratch.file(name)) as [
      string,
      string,
      string,
    ];
    const scale = ["--classifier-scale", "4"];
    expect(await plumeJson("sample", model, "--classifier", one, ...scale, "-o", by)).toMatchObject({
      classifierScale: 4,
    });
    await plumeJson("sample", alongside, "-o", own);
    await plumeJson("sample", model, "-o", none);
    expect(digest(own)).toBe(digest(by));
    expect(digest(none)).not.toBe(digest(by));
  });

  it("are more of their class than without it, as the classifier sees them", async () => {
    const drawn = async (scale: string) => {
      const file = scratch.file(`scale-${scale}.npy`);
      await plumeJson("sample", model, "--classifier", one, "--classifier-scale", scale, "--count", "40", "-o", file);
      const broken = (why: string) => new PlumeError("DATA_LOSS", why);
      return imagesOf(decodeNpy(readFileSync(file), broken), broken).pixels;
    };
    const { backend, imageSet, job: trained, network, params } = await loadModel(one, undefined, () => testBackend());
    const logits = createLogits({ spec: trained.spec, network, params }, backend.program);
    const shown = tf.tensor1d(
      Array.from({ length: 40 }, (_, k) => k % 10),
      "int32",
    );
    const meanLogP = (pixels: Uint8Array) =>
      tf.tidy(() => {
        const said = logits(normalise(pixels, imageSet, 2), [40, 4, 4, 4], 0);
        return tf.mean(logLikelihood(said, shown)).dataSync()[0]!;
      });
    expect(meanLogP(await drawn("8"))).toBeGreaterThan(meanLogP(await drawn("0")) + 0.1);
  });

  it("may be of one class though the model has none", async () => {
    const unconditional = scratch.file("unconditional");
    await train(
      job,
      unconditional,
      "--steps",
      "2",
      ...sets("model.classes=0", "sampling.guidance=1", "sampling.count=0"),
    );
    const draw = (k: string) => ["sample", unconditional, "--classifier", one, "--class", k, "--count", "2"];
    await plumeJson(...draw("ring"), "-o", scratch.file("ring.npy"));
    await plumeJson(...draw("9"), "-o", scratch.file("bars.npy"));
    expect(digest(scratch.file("ring.npy"))).not.toBe(digest(scratch.file("bars.npy")));
  });
});

describe("refused with exit code 2", () => {
  const refusal = async (...args: string[]) => {
    const { code, stderr } = await plume(...args);
    return { code, stderr };
  };
  const says = (words: RegExp) => ({ code: 2, stderr: expect.stringMatching(words) });
  const picture = ["-o", scratch.file("x.png")];
  const trained = (...set: string[]) => ["train", "-f", job, "--out", scratch.file("wrong"), ...sets(...set)];

  it("a classifier without classes, with another objective, or with sample grids", async () => {
    expect(await refusal(...trained("model.type=classifier", "model.classes=0"))).toEqual(
      says(/model\.classes: 0 leaves a classifier nothing to tell apart/),
    );
    expect(await refusal(...trained("model.type=classifier"))).toEqual(
      says(/diffusion\.objective: simple does not judge what the network classifier gives; choose cross-entropy/),
    );
    expect(
      await refusal(...trained("model.type=classifier", "diffusion.objective=cross-entropy", "sampling.everySteps=5")),
    ).toEqual(says(/sampling\.everySteps: 5: a classifier draws no pictures/));
  });

  it("pictures of a classifier, and what is said of pictures to its eval", async () => {
    expect(await refusal("sample", one, ...picture)).toEqual(
      says(/is a classifier: it draws no pictures[\s\S]*plume eval/),
    );
    expect(await refusal("eval", one, "--stages", "final")).toEqual(says(/--stages final: .* is a classifier/));
  });

  it("a scale without a classifier", async () => {
    expect(await refusal("sample", scratch.file("model"), "--classifier-scale", "2", ...picture)).toEqual(
      says(/--classifier-scale 2 needs a classifier[\s\S]*--classifier runs\/classifier/),
    );
    expect(await refusal(...trained("sampling.classifierScale=2"))).toEqual(
      says(/sampling\.classifierScale: 2 needs a classifier that guides; name one in models\.classifier/),
    );
  });

  it.each([
    [
      "no classifier",
      () => scratch.file("model"),
      [],
      /models\.classifier: .*does not fit this job[\s\S]*model\.type: the model is a unet, and no classifier/,
    ],
    [
      "of other images",
      () => one,
      ["data.imageSize=16"],
      /data\.imageSize .*the model has \[8,8,1\], the job \[16,16,1\]/,
    ],
    ["of another patch", () => one, ["data.patch=1"], /data\.patch: the model has 2, the job 1/],
    ["of another process", () => one, ["diffusion.schedule=linear"], /diffusion\.schedule: the model has "cosine"/],
    ["that is not there", () => scratch.file("nowhere"), [], /models\.classifier: .*there is no such folder/],
  ])("a classifier %s", async (_, from, set, words) => {
    expect(await refusal(...trained(`models.classifier.from=file://${from()}`, ...set))).toEqual(says(words));
  });

  it("a classifier of other images, by the command line", async () => {
    const larger = scratch.file("larger");
    await train(job, larger, "--steps", "1", ...sets("data.imageSize=16", "sampling.count=0"));
    expect(await refusal("sample", larger, "--classifier", one, ...picture)).toEqual(
      says(/--classifier .*does not fit this job/),
    );
  });
});
