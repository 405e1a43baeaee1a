import { describe, expect, it } from "vitest";
import { scratchFolder, tinyJob, train } from "../support/plume.ts";

describe("the same bits", () => {
  it("come out of 1, 2 and 3 workers, over shared memory and over gRPC", async () => {
    using scratch = scratchFolder();
    const job = tinyJob(scratch.path);
    const one = await train(job, scratch.file("one"), "--workers", "1");
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

  it("differ when the seed does", async () => {
    using scratch = scratchFolder();
    const job = tinyJob(scratch.path);
    const a = await train(job, scratch.file("a"), "--steps", "2", "--set", "sampling.count=0");
    const b = await train(job, scratch.file("b"), "--steps", "2", "--set", "sampling.count=0", "--set", "seed=1");
    expect(b.weightsSha256).not.toBe(a.weightsSha256);
  });
});
