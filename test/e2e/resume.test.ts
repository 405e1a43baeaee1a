import { readdirSync, rmSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { DRAWN_BY_LOSSES, linesOf, plume, scratchFolder, tinyJob, train } from "../support/plume.ts";

const FEW = ["--set", "sampling.count=0", "--set", "checkpoint.everySteps=4"];

describe("a run that goes on from its store alone, elsewhere", () => {
  it("ends with the same bits and the same ledger from step 0, also when a piece of it is lost: then it says so", async () => {
    using scratch = scratchFolder();
    const job = tinyJob(scratch.path);
    const whole = await train(job, scratch.file("whole"), "--steps", "12", ...FEW);
    const store = ["--set", `checkpoint.store=file://${scratch.file("store")}`];
    await train(job, scratch.file("first"), "--steps", "8", ...FEW, ...store);

    const second = await train(job, scratch.file("second"), "--steps", "12", ...FEW, ...store, "--workers", "3");
    expect(second).toMatchObject({ firstStep: 8, weightsSha256: whole.weightsSha256, emaSha256: whole.emaSha256 });
    const gradients = (run: string) =>
      linesOf(scratch.file(`${run}/ledger.ndjson`)).map(
        (line) => (JSON.parse(line) as { gradDigest: string }).gradDigest,
      );
    expect(gradients("second")).toEqual(gradients("whole"));
    const proof = await plume("audit", scratch.file("second"), "--json");
    expect(proof.code, proof.stderr).toBe(0);
    expect(JSON.parse(proof.stdout)).toMatchObject({ ok: true, from: 0, steps: 12 });

    const pieces = readdirSync(scratch.file("store/ledger"));
    const newest = pieces.find((name) => name.startsWith("8-12-"))!;
    const lost = pieces.find((name) => name.startsWith("0-8-"))!;
    expect(newest, pieces.join()).toBeDefined();
    rmSync(scratch.file(`store/ledger/${lost}`));
    const out = scratch.file("third");
    const { code, stderr } = await plume("train", "-f", job, "--out", out, "--steps", "16", ...FEW, ...store);
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(new RegExp(`a piece of the ledger is lost, .*${lost}`));
    const partial = await plume("audit", out);
    expect(partial.code, partial.stderr).toBe(0);
    expect(partial.stdout).toContain("proof        begins at step 8");
  });
});

describe("a run whose time steps are drawn by their losses", () => {
  it("goes on with the losses of its checkpoint to the same bits, before each step has enough of them and after", async () => {
    using scratch = scratchFolder();
    const job = tinyJob(scratch.path);
    const whole = await train(job, scratch.file("whole"), "--steps", "8", ...DRAWN_BY_LOSSES);
    const out = scratch.file("parts");
    for (const [steps, workers] of [
      ["2", "1"],
      ["6", "3"],
    ] as const)
      await train(job, out, "--steps", steps, "--workers", workers, ...DRAWN_BY_LOSSES);
    const last = await train(job, out, "--steps", "8", "--workers", "2", ...DRAWN_BY_LOSSES);
    expect(last).toMatchObject({ firstStep: 6, weightsSha256: whole.weightsSha256, emaSha256: whole.emaSha256 });
    const replayed = await plume("audit", out, "--replay", "7");
    expect(replayed.stdout, replayed.stderr).toContain("from the checkpoint of step 6");
    expect(replayed.code).toBe(0);
  });
});

describe("a job that changed since its checkpoint", () => {
  it("is refused with all that differs; what is allowed by name is trained on, and the run says so", async () => {
    using scratch = scratchFolder();
    const job = tinyJob(scratch.path);
    const out = scratch.file("run");
    await train(job, out, ...FEW);
    const changed = ["--steps", "12", "--set", "training.optimizer.lr=1e-3", ...FEW];
    const refused = await plume("train", "-f", job, "--out", out, ...changed, "--set", "training.clip=2");
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain("training.optimizer.lr was 0.002, is 0.001\n  training.clip was 1, is 2");
    expect(refused.stderr).toContain("--allow training.optimizer.lr --allow training.clip");
    const unknown = await plume("train", "-f", job, "--out", out, ...changed, "--allow", "training.lr");
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining("no job has such a field")]);
    const model = await plume("train", "-f", job, "--out", out, ...changed, "--allow", "model.channels");
    expect([model.code, model.stderr]).toEqual([
      2,
      expect.stringContaining("cannot go on with another model.channels"),
    ]);
    const summary = await train(job, out, ...changed, "--allow", "training.optimizer.lr");
    expect(summary).toMatchObject({ firstStep: 8, steps: 12, reproducible: false });
    expect(summary.blemishes).toEqual([expect.stringContaining("training.optimizer.lr was 0.002, is 0.001")]);
    expect((await plume("audit", out)).code).toBe(0);
  });
});
