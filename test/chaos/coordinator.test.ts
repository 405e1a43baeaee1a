import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readRunLock } from "../../shared/run-lock/lock.ts";
import { linesOf, plume, until } from "../support/plume.ts";
import { isDead, pause, processesOf } from "../support/processes.ts";
import { type ChaosRun, calmRun, chaosJob, ready, STEPS, startRun } from "./harness.ts";

/** The coordinator is killed; the test waits until another incarnation has committed a new step. */
async function killCoordinator(run: ChaosRun): Promise<void> {
  const lock = readRunLock(run.out)!.record;
  process.kill(lock.pid, "SIGKILL");
  await until("another incarnation", () => (readRunLock(run.out)?.record.incarnation ?? 0) > lock.incarnation, 20);
}

const workersOf = (run: ChaosRun, n: number) => Array.from({ length: n }, (_, index) => run.worker(index));

describe("a coordinator that is killed", () => {
  it("17a: comes back under a new incarnation, the workers stay, the ledger has each step once", async () => {
    using job = chaosJob();
    const clean = await calmRun(job);
    const run = startRun(job);
    await run.reaches(10);
    const workers = workersOf(run, 2);
    await killCoordinator(run);
    await run.sees("it trains on", ({ phase, incarnation }) => phase === "Training" && incarnation === 2);
    expect(workersOf(run, 2)).toEqual(workers);
    const before = run.steps();
    await run.reaches(before + 3);
    await killCoordinator(run);
    const summary = await run.endsLike(clean);
    expect(summary.incarnation).toBe(3);
    expect(summary.recoveryLog.filter(({ kind }) => kind === "coordinator")).toHaveLength(2);
    expect(summary.secondsByState.recovering).toBeGreaterThan(0);
    expect(linesOf(join(run.out, "ledger.ndjson"))).toHaveLength(STEPS);
    expect((await run.finished).stderr).toContain("the coordinator was killed (SIGKILL); starting it again at once");
  });

  it.each([0, 3, 8])(
    "17b: and stays away for %i seconds: the run ends with the exact number of steps",
    async (seconds) => {
      using job = chaosJob();
      const clean = await calmRun(job);
      const run = startRun(job);
      await run.reaches(10);
      // Whoever would start it again is stopped meanwhile.
      run.cli.kill("SIGSTOP");
      process.kill(run.coordinatorPid(), "SIGKILL");
      await pause(1000 * seconds);
      run.cli.kill("SIGCONT");
      const summary = await run.endsLike(clean);
      expect(summary.steps).toBe(STEPS);
      expect(summary.wallSeconds).toBeGreaterThan(seconds);
    },
  );

  it("17c: knows what its time steps are drawn by when it comes back, a worker with it", async () => {
    using job = chaosJob({ diffusion: "timesteps: 4, timestepSampling: loss-second-moment" });
    const clean = await calmRun(job);
    const run = startRun(job);
    await run.reaches(10);
    process.kill(run.worker(1)!, "SIGKILL");
    await killCoordinator(run);
    const summary = await run.endsLike(clean);
    expect(summary.incarnation).toBe(2);
  });

  it("18: and a worker dies while it is away: both come back, nobody hangs", async () => {
    using job = chaosJob();
    const clean = await calmRun(job);
    const run = startRun(job);
    await run.reaches(10);
    run.cli.kill("SIGSTOP");
    process.kill(run.coordinatorPid(), "SIGKILL");
    process.kill(run.worker(1)!, "SIGKILL");
    await pause(500);
    run.cli.kill("SIGCONT");
    await run.held(() => run.sees("two workers", ready(2)));
    await run.endsLike(clean);
  });

  it("19: and started again stops when it is asked to, and the run resumes later to the same bits", async () => {
    using job = chaosJob();
    const clean = await calmRun(job);
    const run = startRun(job);
    await run.reaches(10);
    await killCoordinator(run);
    await run.sees("it trains on", ({ phase }) => phase === "Training");
    const asked = Date.now();
    await run.stop();
    expect((await run.finished).code).toBe(0);
    expect(run.steps()).toBeLessThan(STEPS);
    expect(Date.now() - asked).toBeLessThan(30_000);
    expect(processesOf(run.out)).toEqual([]);
    const again = startRun(job, "--workers", "3");
    await again.endsLike(clean);
  });

  it("passes over a snapshot that is torn, says so, and goes on from an older state", async () => {
    using job = chaosJob();
    const clean = await calmRun(job);
    const run = startRun(job);
    await run.reaches(2); // from here on the clock is the snapshots', not the processes' that start
    await until("a whole snapshot", () => newestSnapshot(run.out) !== null, 20);
    run.cli.kill("SIGSTOP");
    const killed = run.coordinatorPid();
    process.kill(killed, "SIGKILL");
    await until("its death", () => isDead(killed));
    const newest = newestSnapshot(run.out)!;
    const part = join(newest, readManifestPart(newest));
    const bytes = readFileSync(part);
    writeFileSync(part, bytes.subarray(0, bytes.length - 100));
    run.cli.kill("SIGCONT");
    await run.endsLike(clean);
    expect((await run.finished).stderr).toMatch(/the snapshot of step \d+ is not whole and was passed over/);
  });

  it("stays paused when it was paused, keeps the number of workers it was scaled to, and books the time", async () => {
    using job = chaosJob();
    const clean = await calmRun(job);
    const run = startRun(job);
    await run.reaches(5);
    await run.scale(3);
    expect((await run.ctl("pause")).code).toBe(0);
    await run.sees("it is paused", ({ phase }) => phase === "Paused");
    await killCoordinator(run);
    const status = await run.sees(
      "it is paused again",
      ({ phase, incarnation }) => phase === "Paused" && incarnation === 2,
    );
    expect(status.desired).toBe(3);
    const steps = run.steps();
    await pause(700);
    expect(run.steps()).toBe(steps);
    expect((await run.ctl("resume")).code).toBe(0);
    const summary = await run.endsLike(clean);
    expect(summary.secondsByState.paused).toBeGreaterThan(0.5);
  });
});

describe("two coordinators", () => {
  it("6: a second one on the same folder is refused by name; the first goes on", async () => {
    using job = chaosJob();
    const clean = await calmRun(job);
    const run = startRun(job);
    await run.reaches(5);
    const again = (...args: string[]) => plume("train", "-f", job.file, "--out", run.out, ...args);
    const [second, fresh] = await run.held(async () => [await again(), await again("--resume", "never")] as const);
    expect(second.code).toBe(2);
    expect(second.stderr).toContain(`is in use by the coordinator of job ${job.name} (pid ${run.coordinatorPid()}`);
    expect(fresh.code).toBe(2);
    expect(existsSync(`${run.out}.1`)).toBe(false);
    await run.endsLike(clean);
  });

  it("a coordinator that was frozen and replaced cannot commit: its line counts nowhere", async () => {
    using job = chaosJob();
    const clean = await calmRun(job);
    const run = startRun(job, "--workers", "1");
    await run.reaches(10);
    const lock = readRunLock(run.out)!.record;
    // Frozen in the middle of its work, and taken for dead: its lock is lifted by hand, as after the loss of a machine.
    process.kill(lock.pid, "SIGSTOP");
    run.cli.kill("SIGSTOP");
    writeFileSync(join(run.out, "coordinator.json"), JSON.stringify({ ...lock, pid: 2 ** 22 + 1 }));
    const second = startRun(job, "--workers", "2");
    await second.sees("the second one trains", ({ incarnation, phase }) => incarnation === 2 && phase === "Training");
    const first = await second.held(() => {
      process.kill(lock.pid, "SIGCONT");
      run.cli.kill("SIGCONT");
      return run.finished;
    });
    expect(first.code).toBe(1);
    expect(first.stderr).toMatch(/is not committed: another coordinator has taken over/);
    await second.endsLike(clean);
  });
});

/** The newest that was whole when the coordinator died. */
function newestSnapshot(out: string): string | null {
  const folder = join(out, "snapshots");
  if (!existsSync(folder)) return null;
  const whole = readdirSync(folder).filter((name) => existsSync(join(folder, name, "manifest.json")));
  return whole.length === 0 ? null : join(folder, whole.sort().at(-1)!);
}

function readManifestPart(folder: string): string {
  const { parts } = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")) as { parts: { key: string }[] };
  return parts[0]!.key;
}
