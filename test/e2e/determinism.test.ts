import { beforeAll, describe, expect, it } from "vitest";
import type { StepLine } from "../../shared/bus/step-line.ts";
import type { Summary } from "../../shared/summary.ts";
import { DRAWN_BY_LOSSES, linesOf, plume, scratchFolder, tinyJob, train } from "../support/plume.ts";

describe("the same bits", () => {
  /** The tiny job as it is, by one worker. */
  let one: Summary;
  beforeAll(async () => {
    using scratch = scratchFolder();
    one = await train(tinyJob(scratch.path), scratch.file("one"), "--workers", "1");
  });

  it("come out of 1, 2 and 3 workers, over shared memory and over gRPC", async () => {
    using scratch = scratchFolder();
    const job = tinyJob(scratch.path);
    const two = await train(job, scratch.file("two"), "--workers", "2");
    const three = await train(job, scratch.file("three"), "--workers", "3");
    const overGrpc = await train(job, scratch.file("grpc"), "--workers", "2", "--set", "workers.transport=grpc");
    expect(two.transports).toEqual(["shm"]);
    expect(overGrpc.transports).toEqual(["grpc"]);
    for (const other of [two, three, overGrpc]) {
      expect(other.weightsSha256).toBe(one.weightsSha256);
      expect(other.emaSha256).toBe(one.emaSha256);
      expect(other.finalLoss).toBe(one.finalLoss);
    }
  });

  it.each(["bfloat16", "int8"])(
    "come out of 1 and 3 workers, and of a replay, when gradients travel as %s",
    async (dtype) => {
      using scratch = scratchFolder();
      const job = tinyJob(scratch.path);
      const wire = ["--set", `training.wireDtype=${dtype}`, "--set", "sampling.count=0"];
      const alone = await train(job, scratch.file("alone"), "--workers", "1", ...wire);
      const three = await train(job, scratch.file("three"), "--workers", "3", ...wire);
      const overGrpc = await train(
        job,
        scratch.file("grpc"),
        "--workers",
        "2",
        "--set",
        "workers.transport=grpc",
        ...wire,
      );
      for (const other of [three, overGrpc]) expect(other.weightsSha256).toBe(alone.weightsSha256);
      expect(alone.weightsSha256).not.toBe(one.weightsSha256);
      const replayed = await plume("audit", scratch.file("three"), "--replay", "6");
      expect(replayed.code, replayed.stdout + replayed.stderr).toBe(0);
      expect(replayed.stdout).toContain("the same gradient");
      // Another dtype gives other bits: it is no way to resume.
      const resumed = await plume("train", "-f", job, "--out", scratch.file("three"), "--steps", "9");
      expect(resumed.code).toBe(2);
      expect(resumed.stderr).toContain(`training.wireDtype was "${dtype}", is "float32"`);
    },
  );

  it("come out of 1 and 3 workers, and of a replay, when time steps are drawn by the losses before", async () => {
    using scratch = scratchFolder();
    const job = tinyJob(scratch.path);
    const alone = await train(job, scratch.file("alone"), "--workers", "1", ...DRAWN_BY_LOSSES);
    const twice = ["--set", "audit.rate=1", "--set", "workers.transport=grpc"];
    const three = await train(job, scratch.file("three"), "--workers", "3", ...twice, ...DRAWN_BY_LOSSES);
    expect(three).toMatchObject({ weightsSha256: alone.weightsSha256, finalLoss: alone.finalLoss });
    const { loss, unweightedLoss } = JSON.parse(linesOf(scratch.file("alone/metrics.ndjson")).at(-1)!) as StepLine;
    // The hard ones are drawn more often than others by now, and count less.
    expect(unweightedLoss).toBeGreaterThan(loss);
    const replayed = await plume("audit", scratch.file("three"), "--replay", "7");
    expect(replayed.code, replayed.stdout + replayed.stderr).toBe(0);
  });

  it("differ when the seed does", async () => {
    using scratch = scratchFolder();
    const job = tinyJob(scratch.path);
    const other = await train(job, scratch.file("other"), "--workers", "1", "--set", "seed=1");
    expect(other.weightsSha256).not.toBe(one.weightsSha256);
  });
});
