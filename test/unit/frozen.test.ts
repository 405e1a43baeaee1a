import { rmSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { differences } from "../../shared/config/identity.ts";
import { parseJob } from "../../shared/config/load.ts";
import type { Job } from "../../shared/config/schema.ts";
import { checkFits } from "../../shared/frozen/fits.ts";
import { withPins, withPinsOf } from "../../shared/frozen/pin.ts";
import { readFrozen } from "../../shared/frozen/read.ts";
import { initialParameters } from "../../shared/nn/init.ts";
import { IMAGES, teacherJob, writeModel } from "../support/frozen.ts";
import { scratchFolder } from "../support/plume.ts";
import { refusalOf } from "../support/refusal.ts";
import { writeT5 } from "../support/t5-folder.ts";

const scratch = scratchFolder();
const store = scratch.file("store");

const student = (from: string, ...set: string[]): Job =>
  parseJob(
    `
metadata: { name: student }
spec:
  data: { source: "shapes:64", imageSize: 8, patch: 2 }
  model: { channels: 8, channelMult: [1, 2], groups: 4, classes: 10 }
  diffusion: { process: edm, predict: edm, objective: progressive, scales: { start: 4 } }
  models: { teacher: { from: "${from}" } }
  sampling: { sampler: heun }`,
    { set },
  );

const read = ({ spec }: Job, images = IMAGES) => readFrozen(spec, images);

beforeAll(async () => {
  await writeModel(store, 4, teacherJob());
});

describe("a model that a job names", () => {
  it("is read from a store or from one step's folder, and known by the sha256 of its weights", async () => {
    const { teacher } = await read(student(`file://${store}`));
    const step = `file://${store}/step-000000004`;
    expect(teacher).toMatchObject({ at: step, image: { channels: 1 }, spec: { model: { channels: 8 } } });
    expect(teacher!.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect((await read(student(step))).teacher).toEqual(teacher);
    expect(teacher!.flat.buffer).toBeInstanceOf(SharedArrayBuffer);
  });

  it("is the raw one or the average, as the job says", async () => {
    const [ema, raw] = await Promise.all(
      ["ema", "raw"].map((weights) => read(student(`file://${store}`, `models.teacher.weights=${weights}`))),
    );
    expect(ema!.teacher!.sha256).not.toBe(raw!.teacher!.sha256);
  });

  it.each([
    ["no folder", () => "file:///nowhere/at/all", {}, "NOT_FOUND", /^models\.teacher: .*there is no such folder/],
    [
      "no step",
      () => `file://${store}/step-000000009`,
      {},
      "NOT_FOUND",
      /^models\.teacher: .*step-000000009 is no checkpoint: there is no such folder/,
    ],
    [
      "other images",
      () => `file://${store}`,
      { channels: 3 },
      "FAILED_PRECONDITION",
      /data\.imageSize .*the model has \[8,8,1\], the job \[8,8,3\]/,
    ],
  ])("is refused by the field's name, with a remedy: %s", async (_, from, other, code, message) => {
    const refused = read(student(from()), { ...IMAGES, ...other });
    await expect(refused).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    await expect(refused).rejects.toMatchObject({ remedy: expect.stringMatching(/\w/) });
  });

  it("is refused where it is told a low-resolution image, and the job's is not", async () => {
    const upsampler = scratch.file("upsampler");
    await writeModel(upsampler, 4, teacherJob("model.lowRes.size=4"));
    await expect(read(student(`file://${upsampler}`))).rejects.toThrow(
      'model.lowRes: the model has {"size":4,"blur":0,"noise":0}, the job null',
    );
    const told = student(`file://${upsampler}`, "model.lowRes.size=4");
    expect((await read(told)).teacher!.spec.model.lowRes).toEqual({ size: 4, blur: 0, noise: 0 });
  });
});

describe("a classifier that guides", () => {
  it("is refused where captions say already what an image shows", async () => {
    const classifier = parseJob(`
metadata: { name: classifier }
spec:
  data: { source: "shapes:64", imageSize: 8 }
  model: { type: classifier, channels: 8, groups: 4, classes: 10 }
  diffusion: { objective: cross-entropy }`);
    const { spec } = parseJob(`
metadata: { name: text }
spec:
  data: { source: "captions:64", imageSize: 8 }
  model: { channels: 8, groups: 4, text: { width: 8 } }`);
    const model = { job: classifier, imageSet: { ...IMAGES, name: "shapes", classes: [] }, at: "runs/classifier" };
    const read = { ...model, step: 1, weights: "ema", values: new Map() } as const;
    await expect(checkFits("classifier", spec, IMAGES, read)).rejects.toThrow(
      "runs/classifier does not fit this job:\n  model.text: the job's model reads captions",
    );
  });
});

describe("a clip and a prior", () => {
  const job = (name: string, seed: number, rest: string): Job =>
    parseJob(`
metadata: { name: ${name} }
spec:
  seed: ${seed}
  data: { source: "captions:64", imageSize: 8, patch: 4 }
  ${rest}`);
  const at = (run: string) => `file://${scratch.file(run)}`;
  const clip = (seed: number) =>
    job(
      "clip",
      seed,
      `model: { type: clip, channels: 8, layers: 1, embedding: 6, text: { width: 8, layers: 1 } }
  diffusion: { objective: contrastive }`,
    );
  const PRIORS = {
    prior: "diffusion: { predict: x0 }",
    "ar-prior": `diffusion: { objective: next-token }
  sampling: { sampler: generator, steps: 1 }`,
  };
  const prior = (run: string, type: keyof typeof PRIORS) =>
    job(
      type,
      0,
      `model: { type: ${type}, channels: 8, layers: 1, embedding: 6, text: { width: 8, layers: 0 } }
  models: { clip: { from: "${at(run)}" } }
  ${PRIORS[type]}`,
    );
  const decoder = (from: Readonly<Record<string, string>>, embedding = 6) =>
    job(
      "decoder",
      0,
      `model: { channels: 8, channelMult: [1], groups: 4, embedding: ${embedding} }
  models: { ${Object.entries(from).map(([name, run]) => `${name}: { from: "${at(run)}" }`)} }`,
    );

  beforeAll(async () => {
    await writeModel(scratch.file("clip"), 1, clip(0));
    await writeModel(scratch.file("other"), 1, clip(1));
    for (const type of ["prior", "ar-prior"] as const) {
      const known = prior("clip", type);
      await writeModel(scratch.file(type), 1, withPins(known, await read(known)));
    }
  });

  it.each(["prior", "ar-prior"])(
    "go together where the %s was trained with that clip, and not with another",
    async (run) => {
      const both = await read(decoder({ clip: "clip", prior: run }));
      expect(both.prior!.spec.models.clip!.sha256).toBe(both.clip!.sha256);
      await expect(read(decoder({ clip: "other", prior: run }))).rejects.toThrow(
        /^models\.prior: .*prior\/step-000000001 draws embeddings of the clip [0-9a-f]{64}, the job's is [0-9a-f]{64}/,
      );
    },
  );

  it("are refused for what they are not, and for embeddings of other dimensions", async () => {
    await expect(read(decoder({ clip: "prior" }))).rejects.toThrow("the model is a prior, and no clip");
    await expect(read(decoder({ clip: "clip", prior: "other" }))).rejects.toThrow("the model is a clip, and no prior");
    await expect(read(decoder({ clip: "clip" }, 8))).rejects.toThrow("model.embedding: the model has 6, the job 8");
  });
});

describe("a clip whose text tower reads captions", () => {
  const at = (name: string) => `file://${scratch.file(name)}`;
  const reader = (from: string, ...set: string[]) =>
    parseJob(
      `
metadata: { name: reader }
spec:
  data: { source: "captions:64", imageSize: 16 }
  model: { channels: 8, channelMult: [1], groups: 4, text: { width: 8 } }
  models: { text: { from: "${from}" } }`,
      { set },
    );

  beforeAll(async () => {
    const clip = `
metadata: { name: clip }
spec:
  data: { source: "captions:64", imageSize: 8, patch: 4 }
  model: { type: clip, channels: 8, layers: 1, embedding: 6, text: { width: 8, layers: 1 } }
  diffusion: { objective: contrastive }`;
    await writeModel(scratch.file("tower"), 1, parseJob(clip));
    writeT5(scratch.file("t5"));
  });

  it("is its average where nothing else is said, pinned by its checkpoint and sha256, of images of any size", async () => {
    const job = reader(at("tower"));
    const frozen = await read(job);
    const { from, sha256 } = withPins(job, frozen).spec.models.text!;
    expect({ from, sha256 }).toEqual({ from: `${at("tower")}/step-000000001`, sha256: frozen.text!.sha256 });
    expect((await read(reader(from, "models.text.weights=ema"))).text).toEqual(frozen.text);
    expect((await read(reader(from, "models.text.weights=raw"))).text!.sha256).not.toBe(sha256);
  });

  it.each<[string, string, string[], RegExp]>([
    ["words of another width", "tower", ["model.text.width=16"], /model\.text\.width: the model has 8, the job 16$/],
    [
      "captions of any words",
      "tower",
      ["data.source=wds:x"],
      /data\.source: the model reads captions, the job's is wds:x$/,
    ],
    [
      "longer prompts",
      "tower",
      ["models.text.length=3", "sampling.prompts=[red square]"],
      /"red square" has 4 tokens, models\.text\.length is 3$/,
    ],
    [
      "prompts of other words",
      "tower",
      ["sampling.prompts=[a corgi]"],
      /sampling\.prompts "a corgi" has the word corgi/,
    ],
    [
      "a folder that is neither",
      "none",
      [],
      /is no text encoder: it has no config\.json, and .*none is no checkpoint: there is no such folder/,
    ],
    [
      "a choice of weights of a T5",
      "t5",
      ["models.text.weights=ema"],
      /weights is ema, the encoder at .*t5 has one kind/,
    ],
  ])("is refused for %s, by the field's name", async (_, name, set, message) => {
    const error = await refusalOf(read(reader(at(name), ...set)));
    expect(error.message).toMatch(/^models\.text: /);
    expect(error.message).toMatch(message);
    expect(error).toMatchObject({ exitCode: 2, remedy: expect.stringMatching(/\w/) });
  });
});

describe("a teacher that is told embeddings", () => {
  const edm = (name: string, rest: string): Job =>
    parseJob(`
metadata: { name: ${name} }
spec:
  data: { source: "captions:64", imageSize: 8, patch: 4 }
  ${rest}
  sampling: { sampler: heun }`);
  const clip = (seed: number) =>
    parseJob(`
metadata: { name: clip }
spec:
  seed: ${seed}
  data: { source: "captions:64", imageSize: 8, patch: 4 }
  model: { type: clip, channels: 8, layers: 1, embedding: 6, text: { width: 8, layers: 1 } }
  diffusion: { objective: contrastive }`);
  const at = (run: string) => `{ from: "file://${scratch.file(run)}" }`;
  const told = (of: string) => `model: { channels: 8, channelMult: [1], groups: 4, embedding: 6 }
  models: { clip: ${at(of)},`;
  const learner = (network: string) =>
    edm(
      "learner",
      `${network}teacher: ${at("told")} }
  diffusion: { process: edm, predict: edm, objective: progressive, scales: { start: 4 } }`,
    );

  beforeAll(async () => {
    await writeModel(scratch.file("clip-0"), 1, clip(0));
    await writeModel(scratch.file("clip-1"), 1, clip(1));
    const known = edm(
      "told",
      `${told("clip-0")} }
  diffusion: { process: edm, predict: edm }`,
    );
    await writeModel(scratch.file("told"), 1, withPins(known, await read(known)));
  });

  it("teaches a student that is told those of the same clip, and no other", async () => {
    expect(await read(learner(told("clip-0")))).toHaveProperty("teacher");
    await expect(read(learner(told("clip-1")))).rejects.toThrow(
      /^models\.teacher was trained with the clip [0-9a-f]{64}/,
    );
    await expect(read(learner("model: { channels: 8, channelMult: [1], groups: 4 }\n  models: { "))).rejects.toThrow(
      "model.embedding: the model has 6, the job null",
    );
  });
});

describe("a teacher and how images are augmented", () => {
  const told = scratch.file("told");
  beforeAll(() => writeModel(told, 4, teacherJob("data.augment=0.5")));

  it("is refused augmented images that it was never told of, and its copy where it knows of them and the student does not", async () => {
    const augmented = student(`file://${store}`, "data.augment=0.12");
    await expect(read(augmented)).rejects.toThrow("data.augment: the model has 0, the job 0.12");
    const copied = student(`file://${told}`, "training.init=teacher");
    await expect(read(copied)).rejects.toThrow("data.augment, for training.init teacher: the model has 0.5, the job 0");
  });

  it("teaches of augmented images where it was told of them, and of others in any case", async () => {
    for (const chance of ["0", "0.12"])
      expect(await read(student(`file://${told}`, `data.augment=${chance}`))).toHaveProperty("teacher");
  });
});

describe("a run that has begun", () => {
  const job = student(`file://${store}`);

  it("knows its models by checkpoint and sha256, wherever they lie; and is another run with other weights", async () => {
    const pinned = withPins(job, await read(job));
    expect(pinned.spec.models.teacher).toMatchObject({ from: `file://${store}/step-000000004`, weights: "ema" });
    const moved = scratch.file("moved");
    await writeModel(moved, 4, teacherJob());
    const again = student(`file://${moved}`);
    expect(differences(pinned.spec, withPins(again, await read(again)).spec)).toEqual([]);
    await writeModel(moved, 5, teacherJob("seed=7"));
    const found = differences(pinned.spec, withPins(again, await read(again)).spec);
    expect(found.map(({ path }) => path)).toEqual(["models.teacher.sha256"]);
  });

  it("goes on with the checkpoint that it began with when its store has a newer one", async () => {
    const growing = scratch.file("growing");
    await writeModel(growing, 4, teacherJob());
    const asked = student(`file://${growing}`);
    const begun = withPins(asked, await read(asked));
    await writeModel(growing, 5, teacherJob("seed=7"));
    expect(withPins(asked, await read(asked))).not.toEqual(begun);
    expect(withPinsOf(asked, begun)).toEqual(begun);
    expect(withPinsOf(asked, null)).toEqual(asked);
    rmSync(`${growing}/step-000000004`, { recursive: true });
    await expect(read(withPinsOf(asked, begun))).rejects.toThrow("there is no such folder");
  });

  it("refuses other weights than it began with, naming both", async () => {
    const other = "f".repeat(64);
    await expect(read(student(`file://${store}`, `models.teacher.sha256=${other}`))).rejects.toThrow(
      new RegExp(`models\\.teacher: sha256 is ${other}, the ema weights of step 4 at .* have [0-9a-f]{64}`),
    );
  });

  it("has as its teacher what was written, number by number", async () => {
    const { teacher } = await read(job);
    const { layout } = await writeModel(scratch.file("same"), 4, teacherJob());
    expect([...teacher!.flat]).toEqual([...initialParameters(layout, 0)]);
  });
});
