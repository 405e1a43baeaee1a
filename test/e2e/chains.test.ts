// What a model of the 2015 paper is good for, once it is trained: measured in bits, drawn, and drawn given what was seen.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { decodeNpy, encodeNpy } from "../../shared/data/npy.ts";
import { ROOT } from "../../shared/root.ts";
import { plume, scratchFolder, train } from "../support/plume.ts";

const scratch = scratchFolder();
const run = scratch.file("run");
const STEPS = "20";

beforeAll(async () => {
  const less = { "training.globalBatch": 64, "training.microBatch": 64, "training.warmup": 2, "sampling.count": 4 };
  const few = { "diffusion.timesteps": STEPS, "sampling.steps": STEPS };
  const set = Object.entries({ ...less, ...few }).flatMap(([field, value]) => ["--set", `${field}=${value}`]);
  await train(join(ROOT, "deploy/jobs/heartbeat.yaml"), run, "--steps", "12", "--workers", "1", ...set);
});

const told = async (...args: string[]) => {
  const { code, stdout, stderr } = await plume(...args, "--json");
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
};
const refused = async (...args: string[]) => {
  const { code, stderr } = await plume(...args);
  expect(code, stderr).toBe(2);
  return stderr;
};

describe("plume eval --bound", () => {
  it("tells the bits that held-out images need, and the same again", async () => {
    const first = await told("eval", run, "--bound", "--count", "300");
    expect(first).toMatchObject({ images: 300, heldOut: true, seeds: [0], process: "binomial", timesteps: 20 });
    expect(first.prior.bits).toBeCloseTo(20, 9);
    // After a few steps it is still about what the prior needs.
    expect(first.bits.mean).toBeLessThan(21);
    expect(first.bits.mean).toBeGreaterThan(Math.log2(5));
    expect(first.bits.perDimension).toBeCloseTo(first.bits.mean / 20, 9);
    expect(await told("eval", run, "--bound", "--count", "300")).toEqual(first);
  });

  it("has no use for what draws images", async () => {
    expect(await refused("eval", run, "--bound", "--steps", "5")).toContain("--steps 5 is for images");
    expect(await refused("eval", "--bound")).toContain("nothing to measure");
  });
});

describe("plume posterior", () => {
  const [images, mask, output] = ["seen.npy", "known.npy", "drawn.npy"].map((name) => scratch.file(name)) as [
    string,
    string,
    string,
  ];
  const seen = Uint8Array.from({ length: 60 }, (_, k) => (k % 5 === 2 ? 255 : 0));
  const known = Uint8Array.from({ length: 20 }, (_, k) => Number(k < 10));
  const drawn = () => decodeNpy(readFileSync(output), (why) => new Error(why) as never);

  beforeAll(() => {
    writeFileSync(images, encodeNpy(seen, [3, 1, 20, 1]));
    writeFileSync(mask, encodeNpy(known, [1, 1, 20]));
  });

  it("keeps what is known to the bit, and draws the rest as bits", async () => {
    await told("posterior", run, "--images", images, "--known", mask, "-o", output);
    const { shape, values } = drawn();
    expect(shape).toEqual([3, 1, 20, 1]);
    values.forEach((value, k) => {
      if (k % 20 < 10) expect(value).toBe(seen[k]);
      else expect([0, 255]).toContain(value);
    });
  });

  it("gives back what it is told to trust", async () => {
    await told("posterior", run, "--images", images, "--noise", "0.0001", "-o", output);
    expect([...drawn().values]).toEqual([...seen]);
  });

  it("names what is missing, or is no image of the model's", async () => {
    const ask = (...more: string[]) => refused("posterior", run, "--images", images, "-o", output, ...more);
    expect(await ask()).toContain("nothing is said of what is to be drawn");
    expect(await ask("--noise", "0.7")).toContain("--noise 0.7 is above 0.5");
    writeFileSync(mask, encodeNpy(known.subarray(1), [1, 1, 19]));
    expect(await ask("--known", mask)).toContain("its images are 1x19x1");
  });
});

describe("a model of chains", () => {
  it("is drawn by its own steps, all of them", async () => {
    const picture = scratch.file("drawn.png");
    expect(await refused("sample", run, "--steps", "10", "-o", picture)).toContain("takes all of its 20 steps");
    expect(await refused("sample", run, "--sampler", "heun", "-o", picture)).toContain("use one of reverse-kernel");
    expect(await refused("sample", run, "--guidance", "2", "-o", picture)).toContain("--guidance 2");
  });

  it("leaves as plain weights, and draws the same pictures from there", async () => {
    const folder = scratch.file("exported");
    expect(await refused("checkpoints", "export", run, "-o", folder)).toContain("has no form of a mlp");
    await told("checkpoints", "export", run, "--format", "safetensors", "-o", folder);
    const files = [run, folder].map((from, k) => [from, scratch.file(`${k}.npy`)] as const);
    for (const [from, file] of files) await told("sample", from, "--count", "4", "-o", file);
    const [there, back] = files.map(([, file]) => readFileSync(file));
    expect(back!.equals(there!)).toBe(true);
  });
});
