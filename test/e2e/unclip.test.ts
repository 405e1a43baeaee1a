// DALL-E 2's design as a user meets it: a clip, a prior and a decoder, one after the other; pictures of a prompt through both, an
// upsampler behind them, what each is measured by, and what is refused.

import { readFileSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { plume, scratchFolder, train } from "../support/plume.ts";

const scratch = scratchFolder();
const from = (run: string) => `{ from: "file://${scratch.file(run)}" }`;

const TEXT = "text: { width: 8, layers: 1 }";
/** Each after the models that it names. */
const JOBS = {
  clip: `model: { type: clip, channels: 8, layers: 1, embedding: 8, ${TEXT} }
  diffusion: { objective: contrastive }`,
  prior: `model: { type: prior, channels: 8, layers: 1, embedding: 8, ${TEXT} }
  models: { clip: ${from("clip")} }
  diffusion: { predict: x0 }
  sampling: { steps: 3, guidance: 1.5 }`,
  "ar-prior": `model: { type: ar-prior, channels: 8, layers: 1, embedding: 8, buckets: 16, ${TEXT} }
  models: { clip: ${from("clip")} }
  diffusion: { objective: next-token }
  sampling: { sampler: generator, steps: 1 }`,
  decoder: `model: { channels: 8, channelMult: [1, 2], groups: 4, attention: [4], embedding: 8 }
  models: { clip: ${from("clip")} }
  diffusion: { process: imagen, predict: v }
  sampling: { count: 8, steps: 3, guidance: 2 }`,
  large: `model: { channels: 8, channelMult: [1, 2], groups: 4, attention: [8], lowRes: { size: 16 } }
  diffusion: { process: imagen, predict: v }
  sampling: { count: 2, steps: 3 }`,
};
type Run = keyof typeof JOBS;

/** Until what is told is felt. */
const STEPS: Readonly<Record<Run, number>> = { clip: 10, prior: 30, "ar-prior": 20, decoder: 10, large: 1 };

function jobFile(name: Run): string {
  const file = scratch.file(`${name}.yaml`);
  const side = name === "large" ? 32 : 16;
  writeFileSync(
    file,
    `metadata: { name: ${name} }
spec:
  data: { source: "captions:64", imageSize: ${side}, patch: 4 }
  training: { steps: ${STEPS[name]}, globalBatch: 16, microBatch: 8, optimizer: { lr: 1.0e-2 }, ema: 0.5 }
  ${JOBS[name]}
`,
  );
  return file;
}

beforeAll(async () => {
  const trained = (name: Run) => train(jobFile(name), scratch.file(name), "--workers", "1");
  const large = trained("large");
  for (const name of ["clip", "prior", "decoder"] as const) await trained(name);
  await large;
});

const PROMPT = ["--prompt", "large red square top left"];
const PRIOR = ["--prior", scratch.file("prior")];

async function answer(...args: string[]) {
  const { code, stdout, stderr } = await plume(...args, "--json");
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
}

async function drawn(name: string, run: Run, ...args: string[]): Promise<Buffer> {
  const file = scratch.file(`${name}.npy`);
  await answer("sample", scratch.file(run), "-o", file, ...args);
  return readFileSync(file);
}

async function refused(...args: string[]): Promise<string> {
  const { code, stderr } = await plume(...args, "-o", scratch.file("none.png"));
  expect(code).not.toBe(0);
  return stderr;
}

/** Of a file of arrays, without its header. */
const pixelsOf = (file: Buffer, n: number): Buffer[] => {
  const size = 16 * 16 * 3;
  const bytes = file.subarray(file.length - n * size);
  return Array.from({ length: n }, (_, k) => bytes.subarray(k * size, (k + 1) * size));
};

describe("plume sample of a decoder", () => {
  it("draws of what a prior draws of the prompt, to the same bytes by any number of processes", async () => {
    const red = await drawn("red", "decoder", ...PRIOR, ...PROMPT, "--count", "10");
    expect((await drawn("again", "decoder", ...PRIOR, ...PROMPT, "--count", "10", "--workers", "1")).equals(red)).toBe(
      true,
    );
    const blue = await drawn("blue", "decoder", ...PRIOR, "--prompt", "small blue circle", "--count", "10");
    expect(blue.equals(red)).toBe(false);
  });

  it("draws of what an autoregressive prior draws, which is the same of any number of workers", async () => {
    const trained = (workers: number) =>
      train(jobFile("ar-prior"), scratch.file(`ar-prior-${workers}`), "--workers", String(workers));
    const [one, three] = [await trained(1), await trained(3)];
    expect(three.weightsSha256).toBe(one.weightsSha256);
    const how = ["--prior", scratch.file("ar-prior-3"), "--count", "10"];
    const red = await drawn("red-codes", "decoder", ...how, ...PROMPT);
    expect((await drawn("again-codes", "decoder", ...how, ...PROMPT, "--workers", "1")).equals(red)).toBe(true);
    const { rows } = await answer("eval", scratch.file("ar-prior-3"), "--count", "100");
    expect(rows[0]).toMatchObject({ split: "test", of: "drawn by the prior" });
  });

  it("keeps of several images the nearest to its caption by a clip, one of those that it draws", async () => {
    const how = [...PRIOR, ...PROMPT];
    const all = pixelsOf(await drawn("all", "decoder", ...how, "--count", "6"), 6);
    const kept = await drawn(
      "kept",
      "decoder",
      ...how,
      "--count",
      "2",
      "--rerank",
      scratch.file("clip"),
      "--candidates",
      "3",
    );
    pixelsOf(kept, 2).forEach((image, k) => {
      expect(all.slice(3 * k, 3 * k + 3).filter((each) => each.equals(image)).length).toBeGreaterThan(0);
    });
    expect(await refused("sample", scratch.file("decoder"), ...how, "--candidates", "3")).toMatch(/add --rerank CLIP/);
  });

  it("is a base that an upsampler enlarges, by the prior that is named", async () => {
    const enlarge = ["sample", scratch.file("large"), "--base", scratch.file("decoder"), ...PROMPT, "--count", "2"];
    const told = await answer(...enlarge, ...PRIOR, "-o", scratch.file("large.npy"));
    expect(told).toMatchObject({ count: 2, prompt: PROMPT[1], baseStep: STEPS.decoder });
    expect(await refused(...enlarge)).toMatch(/decoder draws images of CLIP's embeddings, and has no prior/);
  });

  it("needs a prior, and other models take none", async () => {
    const decoder = scratch.file("decoder");
    expect(await refused("sample", decoder)).toMatch(
      /draws images of CLIP's embeddings, and has no prior\n +add --prior/,
    );
    expect(await refused("sample", decoder, "--prior", scratch.file("clip"))).toMatch(
      /the model is a clip, and no prior/,
    );
    expect(await refused("sample", scratch.file("large"), ...PRIOR, "--from-data", "test")).toMatch(
      /is told no embeddings of CLIP/,
    );
    expect(await refused("sample", scratch.file("prior"))).toMatch(/is a prior: it draws no pictures/);
  });
});

describe("plume eval", () => {
  it("tells how often a clip's pictures and captions find each other", async () => {
    const { rows, count } = await answer("eval", scratch.file("clip"), "--count", "100");
    expect(count).toBe(100);
    expect(rows.map(({ split }: { split: string }) => split)).toEqual(["test", "held-out"]);
    for (const { imageToText, chance } of rows) {
      expect(imageToText.top5).toBeGreaterThanOrEqual(imageToText.top1);
      expect(chance.top1).toBeGreaterThanOrEqual(0.01);
    }
  });

  it("tells how near what a prior draws is to the pictures' embeddings", async () => {
    const { rows } = await answer("eval", scratch.file("prior"), "--count", "100");
    expect(rows.map(({ of }: { of: string }) => of)).toEqual(
      ["test", "held-out"].flatMap(() => ["drawn by the prior", "the caption's own"]),
    );
    for (const { cosine } of rows) expect(Math.abs(cosine)).toBeLessThanOrEqual(1);
  });

  it("tells how often a decoder's pictures are what captions say, through the prior and of the pictures' own embeddings", async () => {
    const how = ["--seeds", "0", "--count", "100", "--steps", "1"];
    const { rows } = await answer("eval", scratch.file("decoder"), ...PRIOR, ...how);
    expect(rows.map(({ name }: { name: string }) => name)).toEqual(
      ["test", "held-out"].flatMap(() => [
        "drawn, step 10, of the prior's embeddings",
        "drawn, step 10, of the pictures' embeddings",
        "as rendered",
      ]),
    );
  });
});

describe("plume edit of a decoder", () => {
  const images = ["--from-data", "test", "--indices", "0,5"];
  const edit = async (task: string, ...args: string[]) => {
    const file = scratch.file(`${task}.npy`);
    const told = await answer("edit", task, scratch.file("decoder"), ...images, "-o", file, ...args);
    return { told, file: readFileSync(file) };
  };

  it("varies images, each another way, and turns them as captions differ", async () => {
    const { told, file } = await edit("variations", "--variations", "3");
    expect(told).toMatchObject({ count: 2, variations: 3 });
    const rows = pixelsOf(file, 6).map((image) => image.toString("hex"));
    expect(new Set(rows).size).toBe(6);
    const texts = ["--from-text", "red square", "--to-text", "blue square"];
    const turned = await edit("text-diff", ...texts, "--frames", "2", "--most", "1");
    const [first, last] = pixelsOf(turned.file, 4) as [Buffer, Buffer];
    expect(first.equals(last)).toBe(false);
  });

  it("varies none by a sampler without noise of its own", async () => {
    const task = ["edit", "variations", scratch.file("decoder"), ...images, "--sampler", "heun"];
    expect(await refused(...task)).toMatch(
      /--sampler heun does not find the noise .*, or adds none[^\n]*\n +use one of ddim\n/,
    );
  });

  it("refuses both of a model that is told no embeddings", async () => {
    const task = ["edit", "variations", scratch.file("prior"), ...images];
    expect(await refused(...task)).toMatch(/is a prior: it draws no pictures/);
  });
});

describe("a clip's weights", () => {
  it("leave as a CLIPModel and are the start of a run", async () => {
    const folder = scratch.file("clip-model");
    await answer("checkpoints", "export", scratch.file("clip"), "--format", "clip", "-o", folder);
    const { emaSha256 } = JSON.parse(readFileSync(scratch.file("clip/summary.json"), "utf8"));
    const { init } = await answer("checkpoints", "import", folder, "-o", scratch.file("more"));
    expect(init).toBe(emaSha256);
  });
});
