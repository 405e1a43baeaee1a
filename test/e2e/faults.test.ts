import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readSummary } from "../../shared/summary.ts";
import {
  checkpointFile,
  linesOf,
  plume,
  scratchFolder,
  startPlume,
  tinyJob,
  train,
  until,
  workerPid,
} from "../support/plume.ts";

const STEPS = ["--steps", "60", "--set", "sampling.count=0"];

describe("a run that is stopped", () => {
  it("saves on the first Ctrl-C, exits 130, and resumes to the bits of an uninterrupted run", async () => {
    using scratch = scratchFolder();
    const job = tinyJob(scratch.path);
    const whole = await train(job, scratch.file("whole"), ...STEPS);
    const out = scratch.file("stopped");
    const run = startPlume(["train", "-f", job, "--out", out, ...STEPS]);
    await until("five steps", () => linesOf(`${out}/ledger.ndjson`).length >= 5);
    run.child.kill("SIGINT");
    const { code, stdout, stderr } = await run.finished;
    expect(code, stderr).toBe(130);
    expect(stdout).toMatch(/to go on where it stopped: plume train -f \S+ --out \S+/);
    const stopped = readSummary(`${out}/summary.json`);
    expect(stopped.outcome).toBe("stopped");
    expect(stopped.checkpoint).toBe(stopped.steps);
    expect(stopped.steps).toBeLessThan(60);

    // Resumed by another number of workers.
    const resumed = await train(job, out, ...STEPS, "--workers", "3");
    expect(resumed.firstStep).toBe(stopped.steps);
    expect(resumed.weightsSha256).toBe(whole.weightsSha256);
    expect(resumed.emaSha256).toBe(whole.emaSha256);
    const gradients = (folder: string) =>
      linesOf(`${folder}/ledger.ndjson`).map((line) => (JSON.parse(line) as { gradDigest: string }).gradDigest);
    expect(gradients(out)).toEqual(gradients(scratch.file("whole")));
    expect((await plume("audit", out)).code).toBe(0);
  });

  it("stops at once on the second Ctrl-C and leaves no process behind", async () => {
    using scratch = scratchFolder();
    const out = scratch.file("run");
    const run = startPlume(["train", "-f", tinyJob(scratch.path), "--out", out, "--steps", "4000"]);
    await until("three steps", () => linesOf(`${out}/ledger.ndjson`).length >= 3);
    const pids = [workerPid(out, 0)!, workerPid(out, 1)!];
    run.child.kill("SIGINT");
    run.child.kill("SIGINT");
    await new Promise((resolve) => setTimeout(resolve, 20));
    run.child.kill("SIGINT");
    expect((await run.finished).code).toBe(130);
    const alive = (pid: number) => existsSync(`/proc/${pid}`);
    await until("the workers' end", () => !pids.some(alive), 10);
  });

  it("falls back to the newest whole checkpoint when the newest is damaged, and says so", async () => {
    using scratch = scratchFolder();
    const job = tinyJob(scratch.path);
    const out = scratch.file("run");
    const whole = await train(job, out, "--set", "checkpoint.everySteps=4");
    const damaged = checkpointFile(`${out}/checkpoints/step-000000008`, "params-00000-of-00001.safetensors");
    const bytes = readFileSync(damaged);
    bytes[bytes.length - 1]! ^= 1;

    writeFileSync(damaged, bytes);
    const again = await train(job, out, "--set", "checkpoint.everySteps=4");
    expect(again).toMatchObject({ firstStep: 4, checkpointsPassedOver: 1 });
    expect(again.weightsSha256).toBe(whole.weightsSha256);
  });
});

describe("numbers that are not finite", () => {
  it("end the run by name before they reach a parameter", async () => {
    using scratch = scratchFolder();
    const job = tinyJob(scratch.path, "  seed: 1\n");
    const args = ["--set", "training.optimizer.lr=1e30", "--set", "training.clip=1e30", "--set", "sampling.count=0"];
    const { code, stderr } = await plume("train", "-f", job, "--out", scratch.file("run"), ...args);
    expect(code).toBe(1);
    expect(stderr).toMatch(/step \d+: the gradient of \S+ is not finite/);
    expect(stderr).toContain("training.nonFinite: skip");
  });

  it("are skipped where the job says so, and the ledger keeps count", async () => {
    using scratch = scratchFolder();
    const out = scratch.file("run");
    const args = [
      "--set",
      "training.optimizer.lr=1e30",
      "--set",
      "training.clip=1e30",
      "--set",
      "training.nonFinite=skip",
    ];
    await train(tinyJob(scratch.path), out, ...args, "--set", "sampling.count=0");
    const { code, stdout } = await plume("audit", out, "--json");
    expect(code).toBe(0);
    expect((JSON.parse(stdout) as { skippedSteps: number }).skippedSteps).toBeGreaterThan(0);
  });
});

describe("a store that cannot be written", () => {
  it("is reported loudly, never stops training, and leaves the last state where the next start finds it", async () => {
    using scratch = scratchFolder();
    writeFileSync(scratch.file("in-the-way"), "");
    const out = scratch.file("run");
    const job = tinyJob(scratch.path, "  checkpoint: { retrySeconds: 0.1 }\n");
    const args = ["--set", `checkpoint.store=file://${scratch.file("in-the-way")}/store`, "--set", "sampling.count=0"];
    const { code, stderr } = await plume("train", "-f", job, "--out", out, ...args);
    expect(code, stderr).toBe(1);
    expect(stderr).toContain("CHECKPOINT OF STEP 8 FAILED");
    expect(stderr).toContain("THE LAST CHECKPOINT, OF STEP 8, IS NOT IN THE STORE: cannot write");
    expect(stderr).toContain(`once the store works: plume train -f ${job} --out`);
    const lost = readSummary(`${out}/summary.json`);
    expect(lost).toMatchObject({ outcome: "complete", checkpoint: null, checkpoints: { written: 0, failed: 1 } });
    rmSync(scratch.file("in-the-way"));
    const saved = await train(job, out, ...args);
    expect(saved).toMatchObject({ firstStep: 8, checkpoint: 8, unsaved: null, weightsSha256: lost.weightsSha256 });
    expect(existsSync(`${out}/snapshots`)).toBe(false);
  });
});
