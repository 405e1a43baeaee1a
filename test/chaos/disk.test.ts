import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { linesOf, plume } from "../support/plume.ts";
import { calmRun, chaosJob, nothingIsLeft, startRun } from "./harness.ts";

describe("a disk that fails", () => {
  it("a checkpoint store that cannot be written is reported at every save, and training goes on to the same bits", async () => {
    using job = chaosJob();
    const clean = await calmRun(job);
    const blocked = join(job.folder, "blocked");
    writeFileSync(blocked, "a file where a folder should be");
    const run = startRun(job, "--set", `checkpoint.store=file://${blocked}/checkpoints`);
    const summary = await run.endsLike(clean);
    expect(summary.checkpoint).toBeNull();
    expect((await run.finished).stderr).toMatch(/CHECKPOINT OF STEP 40 FAILED: cannot write/);
  });

  it("snapshots that cannot be written cost nothing but the time to compute again", async () => {
    using job = chaosJob();
    const clean = await calmRun(job);
    const out = join(job.folder, "run");
    mkdirSync(out, { recursive: true });
    const run = startRun(job);
    await run.reaches(2);
    process.kill(run.coordinatorPid(), "SIGKILL");
    await run.endsLike(clean);
  });

  it("a ledger that cannot grow fails the run with a remedy, and the same command resumes once there is room", async () => {
    using job = chaosJob();
    const clean = await calmRun(job);
    const out = join(job.folder, "run");
    // No file of this process may grow beyond 20 KiB: the ledger reaches that after some tens of steps.
    const limited = await plumeUnderLimit(20, [
      "train",
      "-f",
      job.file,
      "--out",
      out,
      "--set",
      "checkpoint.snapshotSeconds=0",
    ]);
    expect(limited.code).toBe(1);
    expect(limited.stderr).toMatch(/cannot write step \d+ to .*ledger\.ndjson/);
    expect(limited.stderr).toContain("free some space");
    const steps = linesOf(join(out, "ledger.ndjson")).length;
    expect(steps).toBeGreaterThan(10);
    expect(steps).toBeLessThan(100);
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

/** The command line under a limit of file size; the signal that comes with it is ignored, so that writes fail. */
async function plumeUnderLimit(kib: number, args: readonly string[]) {
  const { spawn } = await import("node:child_process");
  const { fileURLToPath } = await import("node:url");
  const entry = fileURLToPath(new URL("../../coordinator/cli/plume.mjs", import.meta.url));
  const script = `trap '' XFSZ; ulimit -f ${kib}; exec "$0" "$@"`;
  const child = spawn("bash", ["-c", script, process.execPath, entry, ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk;
  });
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, stderr };
}
