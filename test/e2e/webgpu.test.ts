import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readSummary } from "../../shared/summary.ts";
import { scratchFolder, startPlume, tinyJob } from "../support/plume.ts";
import { swiftShader } from "../support/swiftshader.ts";

const WEBGPU = ["--set", "workers.backend=webgpu", "--set", "sampling.count=0"];

describe("a job on webgpu", () => {
  // A tiny one: here a GPU is played by the processor, and its shaders are compiled at every start.
  it("ends with the same weights at one and at two workers", async () => {
    using scratch = scratchFolder();
    const job = tinyJob(scratch.path);
    const train = async (workers: number) => {
      const out = join(scratch.path, `out-${workers}`);
      const args = ["train", "-f", job, "--out", out, "--workers", `${workers}`, "--steps", "2", ...WEBGPU];
      args.push("--set", "training.globalBatch=4", "--set", "training.microBatch=2", "--set", "model.channelMult=[1]");
      const { code, stderr } = await startPlume(args, { env: swiftShader() }).finished;
      expect(code, stderr).toBe(0);
      return readSummary(join(out, "summary.json"));
    };
    const [one, two] = [await train(1), await train(2)];
    expect(two.weightsSha256).toBe(one.weightsSha256);
    expect(two.emaSha256).toBe(one.emaSha256);
    expect(one.numericsClasses[0]).toMatch(/^webgpu:[0-9a-f]{16}$/);
  });

  it.each([
    ["Dawn is not there", { PLUME_CACHE: "/nonexistent" }, "npm run setup:webgpu"],
    ["no GPU is there", { VK_ICD_FILENAMES: "/nonexistent" }, "install its Vulkan driver"],
  ])("is refused with the remedy before anything starts when %s", async (_, env, remedy) => {
    using scratch = scratchFolder();
    const args = ["train", "-f", tinyJob(scratch.path), "--out", join(scratch.path, "out"), ...WEBGPU];
    const { code, stderr } = await startPlume(args, { env }).finished;
    expect(code).toBe(2);
    expect(stderr).toContain("workers.backend webgpu cannot start here");
    expect(stderr).toContain(remedy);
  });
});
