import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readSummary } from "../../shared/summary.ts";
import { linesOf, plume } from "../support/plume.ts";
import { pause, processesOf } from "../support/processes.ts";
import { type ChaosRun, calmRun, chaosJob, losses, ready, STEPS, startRun } from "./harness.ts";

interface Line {
  readonly step: number;
  readonly ids: string[];
  readonly blocks: { worker: string; lo: number; hi: number }[];
}

const ledger = (out: string) => linesOf(join(out, "ledger.ndjson")).map((line) => JSON.parse(line) as Line);
const pids = (run: ChaosRun, n: number) => Array.from({ length: n }, (_, index) => run.worker(index));

async function scale(run: ChaosRun, n: number): Promise<void> {
  await run.scale(n);
  await run.held(() => run.sees(`${n} workers`, ready(n)));
}

/** Thirty-two when there is time. */
const N = process.env.PLUME_SOAK ? 32 : 10;

describe("a run whose size changes", () => {
  it("10: 2 to 4 to 2 to 1 to 3 workers: the same bits, the same loss curve, and survivors keep their process", async () => {
    using job = chaosJob();
    const clean = await calmRun(job);
    const run = startRun(job);
    await run.held(() => run.sees("two workers", ready(2)));
    const [first, second] = pids(run, 2);
    const coordinator = run.coordinatorPid();
    await scale(run, 4);
    await scale(run, 2);
    expect(pids(run, 2)).toEqual([first, second]);
    await scale(run, 1);
    expect(run.worker(0)).toBe(first);
    await scale(run, 3);
    expect(run.coordinatorPid()).toBe(coordinator);
    const summary = await run.endsLike(clean);
    expect(summary.recoveries).toBe(0); // nothing failed
    const losses = readFileSync(join(run.out, "ledger.ndjson"), "utf8").matchAll(/"loss":([\d.e-]+)/g);
    expect([...losses]).toHaveLength(STEPS);
  });

  it("4: a joiner gets the live weights and works in the next step; nothing is rolled back", async () => {
    using job = chaosJob();
    const clean = await calmRun(job);
    const run = startRun(job);
    await run.reaches(2);
    await scale(run, 3);
    const joinedAt = run.steps();
    await run.endsLike(clean);
    const first = ledger(run.out).find(({ blocks }) => blocks.some(({ worker }) => worker === "worker-2"));
    expect(first!.step).toBeLessThanOrEqual(joinedAt + 1);
    expect(ledger(run.out).map(({ step }) => step)).toEqual(Array.from({ length: STEPS }, (_, step) => step));
  });

  it("8: a newcomer in the middle of a shrink is admitted, whatever order the processes go and come in", async () => {
    using job = chaosJob();
    const clean = await calmRun(job);
    const run = startRun(job, "--workers", "3");
    await run.held(() => run.sees("three workers", ready(3)));
    await Promise.all([run.scale(1), pause(150).then(() => run.scale(2))]);
    await run.held(() => run.sees("two workers", ready(2)));
    await run.endsLike(clean);
  });

  it("3: below min it waits with a reason, commits nothing, and can be stopped at once", async () => {
    using job = chaosJob({ workers: "min: 2" });
    const run = startRun(job, "--workers", "1");
    const { reason } = await run.sees(
      "it waits",
      ({ phase, reason }) => phase === "Waiting" && reason.startsWith("1 of"),
    );
    expect(reason).toBe("1 of at least 2 workers are ready");
    await pause(1000);
    expect(run.steps()).toBe(0);
    expect((await run.ctl("stop")).code).toBe(0);
    expect((await run.finished).code).toBe(0);
    expect(processesOf(run.out)).toEqual([]);
  });

  it("12: at n = min one leaves and another comes: it waits, then goes on", async () => {
    using job = chaosJob({ workers: "min: 2" });
    const clean = await calmRun(job);
    const run = startRun(job);
    await run.reaches(5);
    process.kill(run.worker(1)!, "SIGTERM");
    await run.sees("it waits", ({ phase }) => phase === "Waiting");
    const then = run.steps();
    await run.reaches(then + 1);
    const { secondsByState } = await run.endsLike(clean);
    expect(secondsByState.waiting).toBeGreaterThan(0.3);
  });

  it("21: from nothing to min to four; one dies, then all die; the last step is the last of the job", async () => {
    using job = chaosJob({ workers: "min: 2" });
    const clean = await calmRun(job);
    const run = startRun(job, "--workers", "1");
    await run.sees("it waits", ({ phase }) => phase === "Waiting");
    await scale(run, 2);
    await scale(run, 4);
    process.kill(run.worker(3)!, "SIGKILL");
    await run.held(() => run.sees("four workers", (status) => losses(status) === 1 && ready(4)(status)));
    const then = run.steps();
    await run.reaches(then + 1); // with which the first one is recovered from
    for (const pid of pids(run, 4)) process.kill(pid!, "SIGKILL");
    await run.held(() => run.sees("four workers again", (status) => losses(status) === 5 && ready(4)(status)));
    const summary = await run.endsLike(clean);
    expect(summary.steps).toBe(STEPS);
    expect(summary.recoveries).toBe(5);
  });

  it(`26: ${N - 2} of ${N} workers die at once, and all are back`, async () => {
    using job = chaosJob({ microBatch: 1, steps: 12 });
    const clean = await calmRun(job);
    const slow = ["--set", "workers.deadlineSeconds=30", "--set", "workers.heartbeatSeconds=2"];
    const run = startRun(job, "--workers", String(N), ...slow);
    await run.held(() => run.sees("all workers", ready(N), 120));
    for (let index = 2; index < N; index++) process.kill(run.worker(index)!, "SIGKILL");
    await run.held(() => run.sees("all are back", (status) => losses(status) === N - 2 && ready(N)(status), 120));
    await run.endsLike(clean);
  }, 400_000);
});

describe("a run that stops and resumes", () => {
  it("15, 16: 117 samples, stopped in the middle of an epoch, resumed at 1, 3 and 5 workers: the same batches, none missing, none twice", async () => {
    using job = chaosJob({ steps: 60, source: "shapes:117" });
    const clean = await calmRun(job);
    let run = startRun(job);
    await run.reaches(11); // 176 samples: in the middle of the second epoch
    await run.stop();
    expect((await run.finished).code).toBe(0);
    const stopped = readSummary(join(run.out, "summary.json"));
    expect(stopped.epochs % 1).not.toBe(0);
    const third = Math.floor((60 - stopped.steps) / 3);
    expect(third).toBeGreaterThan(0);
    for (const [workers, until] of [
      [1, stopped.steps + third],
      [3, stopped.steps + 2 * third],
    ] as const) {
      run = startRun(job, "--workers", String(workers), "--steps", String(until));
      expect((await run.finished).code).toBe(0);
      expect(run.steps()).toBe(until);
    }
    run = startRun(job, "--workers", "5");
    await run.endsLike(clean);
  });

  it("22: failures at two thirds of an epoch and at its end: rows seen are rows times epochs", async () => {
    using job = chaosJob(); // six epochs of sixteen steps
    const clean = await calmRun(job);
    const run = startRun(job);
    await run.reaches(11);
    process.kill(run.worker(0)!, "SIGKILL");
    await run.reaches(32);
    process.kill(run.worker(1)!, "SIGKILL");
    process.kill(run.coordinatorPid(), "SIGKILL");
    const summary = await run.endsLike(clean);
    expect(summary.samples).toBe(6 * 256);
    const audit = await plume("audit", run.out, "--json");
    expect(JSON.parse(audit.stdout)).toMatchObject({ ok: true, wholeEpochs: 6, samples: 6 * 256 });
  });
});

describe("commands that cannot be", () => {
  it("scale beyond max, below min, to a word, while paused; each is refused, and the job is unharmed", async () => {
    using job = chaosJob({ steps: 40, workers: "min: 2" });
    const clean = await calmRun(job);
    const run = startRun(job, "--workers", "1", "--set", "workers.max=4"); // it waits for a second one
    await run.sees("it waits", ({ phase }) => phase === "Waiting");
    const refused = async (words: string[], message: string) => {
      const { code, stderr } = await run.ctl(...words);
      expect(code, stderr).toBe(2);
      expect(stderr).toContain(message);
    };
    await refused(["scale", "5"], "5 workers are too many: workers.min is 2 and workers.max is 4");
    await refused(["scale", "1"], "1 workers are too few");
    await refused(["scale", "many"], "N many is no whole number");
    expect((await run.ctl("pause")).code).toBe(0);
    await refused(["scale", "3"], "the run is paused");
    expect(JSON.parse((await run.ctl("resume", "--json")).stdout)).toEqual({ wasPaused: true });
    expect((await run.status()).desired).toBe(1);
    expect((await run.ctl("scale", "2")).code).toBe(0);
    await run.reaches(2);
    const saved = await run.held(() => run.ctl("checkpoint"));
    expect(saved.stdout).toMatch(/the checkpoint of step \d+ is written/);
    await run.endsLike(clean);
    await refused(["status"], "is not running: it is complete after 40 steps");
    await refused(["scale", "3"], "is not running");
    const nowhere = await plume("ctl", "status", join(job.folder, "nothing"));
    expect(nowhere.code).toBe(2);
    expect(nowhere.stderr).toContain("is no run's folder");
    const unreachable = await plume("ctl", "status", "--address", "127.0.0.1:1");
    expect(unreachable.code).toBe(1);
  });
});
