// DALL-E's two networks as a user meets them: a dvae, a dalle over its codes, pictures of a prompt, what each is measured by, and what is
// refused.

import { readFileSync, writeFileSync } from "node:fs";
import { beforeAll, expect, it } from "vitest";
import { plume, plumeJson, scratchFolder, train } from "../support/plume.ts";

const scratch = scratchFolder();
const dvae = scratch.file("dvae");
const dalle = scratch.file("dalle");

const NETWORKS = {
  dvae: `model: { type: dvae, channels: 8, channelMult: [1, 2], groups: 4 }
  diffusion: { objective: elbo }`,
  dalle: `model: { type: dalle, channels: 8, layers: 1, text: {} }
  models: { dvae: { from: "file://${dvae}" } }
  diffusion: { objective: next-token, labelDrop: 0.2 }`,
};

function jobFile(name: keyof typeof NETWORKS): string {
  const file = scratch.file(`${name}.yaml`);
  writeFileSync(
    file,
    `metadata: { name: ${name} }
spec:
  data: { source: "captions:64", imageSize: 16, patch: 4 }
  autoencoder: { codes: 6, codeSide: 2 }
  training: { steps: 20, globalBatch: 16, microBatch: 8, optimizer: { lr: 1.0e-2 }, ema: 0.5 }
  sampling: { sampler: generator, steps: 1, count: 8 }
  ${NETWORKS[name]}
`,
  );
  return file;
}

beforeAll(async () => {
  for (const name of ["dvae", "dalle"] as const) await train(jobFile(name), scratch.file(name), "--workers", "1");
});

async function drawn(name: string, ...args: string[]): Promise<string> {
  const file = scratch.file(`${name}.npy`);
  await plumeJson("sample", dalle, "--count", "10", "-o", file, ...args);
  return readFileSync(file).toString("hex");
}

it("a dalle draws of a prompt to the same bytes by any number of processes, and others under guidance", async () => {
  const prompt = ["--prompt", "large red square top left"];
  const one = await drawn("one", ...prompt, "--workers", "1");
  expect(await drawn("three", ...prompt, "--workers", "3")).toBe(one);
  expect(await drawn("guided", ...prompt, "--guidance", "20")).not.toBe(one);
});

it("plume eval tells how often what a dalle draws is what its captions say", async () => {
  const { rows } = (await plumeJson("eval", dalle, "--count", "100", "--seeds", "0")) as { rows: { name: string }[] };
  expect(rows.map(({ name }) => name)).toEqual(["drawn, step 20", "as rendered", "drawn, step 20", "as rendered"]);
});

it("a dvae tells bits of test images, and makes images of their likeliest codes", async () => {
  expect(await plumeJson("likelihood", dvae, "--count", "8", "--draws", "4")).toMatchObject({
    kind: "bound",
    draws: 4,
  });
  const file = scratch.file("again.npy");
  const made = await plumeJson("edit", "reconstruct", dvae, "--from-data", "test", "--indices", "0,1", "-o", file);
  expect(made).toMatchObject({ count: 2, sampler: "generator" });
});

it.each([
  [["train", "-f", scratch.file("dalle.yaml"), "--set", "autoencoder.codes=9"], "autoencoder.codes: the model has 6"],
  [["train", "-f", scratch.file("dalle.yaml"), "--set", "autoencoder.codeSide=4"], "the model has 2 codes a side"],
  [
    ["train", "-f", scratch.file("dalle.yaml"), "--set", `models.dvae.from=file://${dalle}`],
    "the model is a dalle, and no dvae",
  ],
  [["likelihood", dalle], "a dalle has no likelihood"],
  [["sample", dalle, "--steps", "5", "-o", scratch.file("x.png")], "draws by no steps of a process"],
])("%j is refused with what is wrong", async (args, problem) => {
  const out = args[0] === "train" ? ["--out", scratch.file("none")] : [];
  const { code, stderr } = await plume(...args, ...out);
  expect(code).toBeGreaterThan(0);
  expect(stderr).toContain(problem);
});
