import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readSummary } from "../../shared/summary.ts";
import { plume, scratchFolder, startPlume, tinyJob } from "../support/plume.ts";

const TFJS_NODE = ["--set", "workers.backend=tfjs-node", "--set", "sampling.count=4"];

describe("a job on tfjs-node", () => {
  it("ends with the same weights at one and at three workers, and its steps can be computed again", async () => {
    using scratch = scratchFolder();
    const job = tinyJob(scratch.path);
    const train = async (workers: number) => {
      const out = join(scratch.path, `out-${workers}`);
      const { code, stderr } = await plume("train", "-f", job, "--out", out, "--workers", `${workers}`, ...TFJS_NODE);
      expect(code, stderr).toBe(0);
      expect(stderr).not.toMatch(/oneDNN|absl|WARNING/);
      return readSummary(join(out, "summary.json"));
    };
    const [one, three] = [await train(1), await train(3)];
    expect(three.weightsSha256).toBe(one.weightsSha256);
    expect(three.emaSha256).toBe(one.emaSha256);
    expect(one.numericsClasses[0]).toMatch(/^tfjs-node:[0-9a-f]{16}$/);
    const audit = await plume("audit", join(scratch.path, "out-3"), "--replay", "2");
    expect(audit.code, audit.stderr).toBe(0);
    expect(audit.stdout).toContain("exactly once yes");
  });

  it("is what auto chooses where it is set up, and what the run keeps when auto would choose another", async () => {
    using scratch = scratchFolder();
    const job = tinyJob(scratch.path);
    const out = join(scratch.path, "out");
    const train = (PLUME_AUTO: string, ...args: string[]) =>
      startPlume(["train", "-f", job, "--out", out, "--set", "sampling.count=0", ...args], { env: { PLUME_AUTO } })
        .finished;
    const first = await train("tfjs-node,wasm", "--steps", "3");
    expect(first.code, first.stderr).toBe(0);
    const second = await train("wasm", "--steps", "5");
    expect(second.code, second.stderr).toBe(0);
    const { numericsClasses } = readSummary(join(out, "summary.json"));
    expect(numericsClasses).toEqual([expect.stringMatching(/^tfjs-node:/)]);
    const wrong = await train("wasm,cuda", "--resume", "never");
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain("names cuda, which is no backend");
  });

  it("is refused with the remedy before anything starts when TensorFlow is not set up", async () => {
    using scratch = scratchFolder();
    const job = tinyJob(scratch.path);
    const out = join(scratch.path, "out");
    const args = ["train", "-f", job, "--out", out, ...TFJS_NODE];
    const { code, stderr } = await startPlume(args, { env: { PLUME_CACHE: join(scratch.path, "empty") } }).finished;
    expect(code).toBe(2);
    expect(stderr).toContain("TensorFlow's library is not set up");
    expect(stderr).toContain("npm run setup:tensorflow");
  });
});
