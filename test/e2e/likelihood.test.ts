// plume likelihood on real runs.

import { describe, expect, it } from "vitest";
import { plume, scratchFolder, tinyJob, train } from "../support/plume.ts";

const scratch = scratchFolder();

async function trained(name: string, ...set: readonly string[]): Promise<string> {
  const out = scratch.file(name);
  const fields = ["training.steps=2", "sampling.count=0", "sampling.sampler=heun", ...set];
  await train(tinyJob(scratch.path), out, ...fields.flatMap((field) => ["--set", field]));
  return out;
}

describe("plume likelihood", () => {
  it("tells the bound of a ddpm beside baselines, the same from run to run, with each image's value", async () => {
    const run = await trained("ddpm", "diffusion.timesteps=20");
    const { code, stdout, stderr } = await plume("likelihood", run, "--count", "30");
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/the model, at most +\d+\.\d{3} ± \d\.\d{3}\nWebP, lossless +\d/);
    expect(stdout).toMatch(/every value alike +8\.000/);
    expect(stdout).toContain("30 images that it was trained on");
    const told = JSON.parse((await plume("likelihood", run, "--count", "30", "--json")).stdout);
    expect(told).toMatchObject({ kind: "bound", images: 30, heldOut: false, step: 2 });
    expect(told.values).toHaveLength(30);
    expect(told.bits.model.toFixed(3)).toBe(/the model, at most +(\d+\.\d{3})/.exec(stdout)![1]);
    const few = JSON.parse((await plume("likelihood", run, "--count", "3", "--json")).stdout);
    expect(few.values).toEqual(told.values.slice(0, 3));
    const drawn = await plume("likelihood", run, "--draws", "4");
    expect(drawn).toMatchObject({ code: 2, stderr: expect.stringContaining("--draws 4 is of a vae or a flow, which") });
  });

  it.each([
    ["vp", "v"],
    ["edm", "edm"],
  ])("tells the density of a model of %s", async (process, predict) => {
    const run = await trained(process, `diffusion.process=${process}`, `diffusion.predict=${predict}`);
    const told = JSON.parse((await plume("likelihood", run, "--count", "4", "--json")).stdout);
    expect(told).toMatchObject({ kind: "estimate", images: 4 });
    expect(told.bits.model).toBeGreaterThan(0);
    expect(told.bits.model).toBeLessThan(20);
  });

  it("refuses with exit code 2 what it cannot tell", async () => {
    const consistency = ["objective", "predict"].map((field) => `diffusion.${field}=consistency`);
    const run = await trained("distant", "diffusion.process=edm", ...consistency, "sampling.sampler=consistency");
    const { code, stderr } = await plume("likelihood", run);
    expect({ code, stderr }).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("a model of the objective consistency jumps along its paths"),
    });
    expect((await plume("likelihood", run, "--count", "0")).stderr).toContain("--count 0");
  });
});
