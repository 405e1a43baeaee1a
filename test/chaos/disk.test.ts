import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { linesOf, plume, startPlume } from "../support/plume.ts";
import { calmRun, chaosJob, nothingIsLeft, STEPS, startRun, startRunWith } from "./harness.ts";

describe("a disk that fails", () => {
  it("a checkpoint store that cannot be written is reported at every save, and training goes on to the same bits", async () => {
    using job = chaosJob();
    const clean = await calmRun(job);
    const blocked = join(job.folder, "blocked");
    writeFileSync(blocked, "a file where a folder should be");
    const store = `checkpoint.store=file://${blocked}/checkpoints`;
    const run = startRun(job, "--set", store, "--set", "checkpoint.retrySeconds=0.2");
    const summary = await run.endsLike(clean, { unsaved: true });
    expect(summary.checkpoint).toBeNull();
    expect((await run.finished).stderr).toMatch(/CHECKPOINT OF STEP 40 FAILED: cannot write/);
  });

  it("snapshots and checkpoints that do not fit on the disk cost a killed coordinator the time to compute again", async () => {
    using job = chaosJob();
    const clean = await calmRun(job);
    // A part of them is larger.
    const run = startRunWith({ fileLimitKib: 150 }, job, "--set", "checkpoint.retrySeconds=0.2");
    await run.reaches(30);
    process.kill(run.coordinatorPid(), "SIGKILL");
    const summary = await run.endsLike(clean, { unsaved: true });
    expect(summary.checkpoint).toBeNull();
    expect(summary.unsaved).toContain("could not be saved in the run's folder either");
    expect(summary.secondsByState.redone).toBeGreaterThan(0.2);
    expect(readFileSync(join(run.out, "logs/coordinator.log"), "utf8")).toContain("snapshot");
  });

  it("a ledger that cannot grow fails the run with a remedy, and the same command resumes once there is room", async () => {
    using job = chaosJob();
    const clean = await calmRun(job);
    const out = join(job.folder, "run");
    // The ledger is that long after some tens of steps.
    const args = ["train", "-f", job.file, "--out", out, "--set", "checkpoint.snapshotSeconds=0"];
    const limited = await startPlume(args, { fileLimitKib: 20 }).finished;
    expect(limited.code).toBe(1);
    expect(limited.stderr).toMatch(/cannot write step \d+ to .*ledger\.ndjson/);
    expect(limited.stderr).toContain("free some space");
    const steps = linesOf(join(out, "ledger.ndjson")).length;
    expect(steps).toBeGreaterThan(10);
    expect(steps).toBeLessThan(STEPS);
    await nothingIsLeft({ out, job });
    const run = startRun(job);
    await run.endsLike(clean);
  });

  it("a folder that cannot be made is refused before anything starts", async () => {
    using job = chaosJob();
    const file = join(job.folder, "file");
    writeFileSync(file, "");
    const { code, stderr } = await plume("train", "-f", job.file, "--out", join(file, "run"));
    expect(code).toBe(2);
    expect(stderr).toContain("cannot write the run folder");
    expect(existsSync(join(file, "run"))).toBe(false);
  });
});
