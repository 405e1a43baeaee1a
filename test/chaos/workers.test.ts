import type { ChildProcess } from "node:child_process";
import { describe, expect, it } from "vitest";
import { linesOf, plume, until } from "../support/plume.ts";
import { pause } from "../support/processes.ts";
import { type ChaosRun, calmRun, chaosJob, isMember, losses, ready, startRun } from "./harness.ts";

const blocksOf = (out: string) =>
  linesOf(`${out}/ledger.ndjson`).map(
    (line) => JSON.parse(line) as { step: number; blocks: { worker: string; lo: number; hi: number }[] },
  );
const signal = (pid: number | null, name: NodeJS.Signals) => {
  expect(pid, "the process is there").not.toBeNull();
  process.kill(pid!, name);
};

const logOf = (run: ChaosRun) => linesOf(`${run.out}/logs/coordinator.log`).join("\n");

/** How a process ends, and what it says on stderr. */
function endOf(child: ChildProcess): Promise<{ code: number | null; stderr: string }> {
  let stderr = "";
  child.stderr!.on("data", (chunk: Buffer) => {
    stderr += chunk;
  });
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, stderr })));
}

/** Waits for another process of a worker than the last one. */
async function successor(run: ChaosRun, index: number, last: number | null, seconds?: number): Promise<number> {
  let pid: number | null = null;
  const isOther = () => {
    pid = run.worker(index); // one look: it may be gone at the next
    return pid !== null && pid !== last;
  };
  await until("a new worker process", isOther, seconds);
  return pid!;
}

describe("workers that die", () => {
  it("1: a worker killed at step 2 comes back, one failure is counted, and no bit changes", async () => {
    using job = chaosJob();
    const clean = await calmRun(job);
    const run = startRun(job);
    await run.reaches(2);
    const old = run.worker(1);
    signal(old, "SIGKILL");
    await run.held(() => run.sees("two workers again", (status) => losses(status) === 1 && ready(2)(status)));
    expect(run.worker(1)).not.toBe(old);
    const { recoveries, recoveryLog } = await run.endsLike(clean);
    expect(recoveries).toBe(1);
    expect(recoveryLog[0]).toMatchObject({ kind: "worker", subject: "worker-1" });
  });

  it("2: two of four workers die in the same step; the others go on and both come back", async () => {
    using job = chaosJob();
    const clean = await calmRun(job);
    const run = startRun(job, "--workers", "4");
    await run.held(() => run.sees("four workers", ready(4)));
    const survivors = [run.worker(0), run.worker(1)];
    const before = run.steps();
    for (const index of [2, 3]) signal(run.worker(index), "SIGKILL");
    await run.reaches(before + 3);
    await run.held(() => run.sees("four workers again", (status) => losses(status) === 2 && ready(4)(status)));
    expect([run.worker(0), run.worker(1)]).toEqual(survivors);
    await run.endsLike(clean);
  });

  it("11: a worker that raises and a worker that is killed have the same outcome", async () => {
    using job = chaosJob();
    const clean = await calmRun(job);
    const run = startRun(job, "--workers", "3");
    await run.reaches(3);
    const outcomes: string[] = [];
    await run.held(() => {
      run.join("raises", { fault: "throw" }).on("exit", (code) => outcomes.push(`raises ${code}`));
      return run.sees("it is a member", isMember("raises"));
    });
    await until("the end of the worker that raises", () => outcomes.length === 1);
    signal(run.worker(2), "SIGABRT");
    await run.held(() => run.sees("three workers again", (status) => losses(status) === 2 && ready(3)(status)));
    const { recoveryLog } = await run.endsLike(clean);
    expect(outcomes).toEqual(["raises 1"]);
    expect(recoveryLog.map(({ subject }) => subject)).toEqual(expect.arrayContaining(["raises", "worker-2"]));
  });

  it("9: a crash-looping worker is given up after the limit with its reason; a limit of one more succeeds", async () => {
    // Killed before it has done any work, as often as the limit allows, and once more.
    const crash = async (maxRestarts: number, times: number) => {
      using job = chaosJob({ steps: 20, workers: `maxRestarts: ${maxRestarts}` });
      const run = startRun(job, "--workers", "1");
      let last: number | null = null;
      for (let i = 0; i < times; i++) {
        last = await successor(run, 0, last);
        process.kill(last, "SIGKILL");
      }
      return await run.finished; // before the folder goes
    };
    const failed = await crash(1, 2);
    expect(failed.code).toBe(1);
    expect(failed.stderr).toContain("2 failures in a row without any work done; 0 workers remain and workers.min is 1");
    const survived = await crash(2, 2);
    expect(survived.code, survived.stderr).toBe(0);
  });

  it("13: a worker that fails before it works is let in after growing pauses, and then works", async () => {
    using job = chaosJob();
    const clean = await calmRun(job);
    const run = startRun(job);
    await run.reaches(2);
    let last = run.worker(1)!;
    process.kill(last, "SIGKILL");
    await run.held(async () => {
      for (let i = 0; i < 2; i++) {
        last = await successor(run, 1, last);
        process.kill(last, "SIGKILL");
      }
      await successor(run, 1, last);
      await run.sees("it is back", ready(2));
    });
    const then = run.steps();
    await run.endsLike(clean);
    const after = blocksOf(run.out).slice(then);
    expect(after.some(({ blocks }) => blocks.some(({ worker }) => worker === "worker-1"))).toBe(true);
    const { stderr } = await run.finished;
    expect(stderr).toContain("worker-1 was killed (SIGKILL); starting it again at once");
    expect(stderr).toContain("starting it again in 0.25 s");
    expect(stderr).toContain("starting it again in 0.5 s");
  });

  it("20: a worker that is asked to leave hands over cleanly; it costs no failure, even when it is killed at the deadline", async () => {
    using job = chaosJob({ workers: "maxRestarts: 0" });
    const clean = await calmRun(job);
    const run = startRun(job, "--workers", "3");
    await run.reaches(3);
    const asked = run.worker(1);
    signal(asked, "SIGTERM");
    await run.held(async () => {
      await successor(run, 1, asked);
      await run.sees("three workers again", ready(3));
    });
    const { recoveries } = await run.endsLike(clean);
    expect(recoveries).toBe(0);
    expect((await run.finished).stderr).toContain("worker-1 left; it is still wanted");
  });
});

describe("workers that do not die, but do not work", () => {
  it("25: a frozen worker is dropped while its socket stays open, and joins as new when it wakes", async () => {
    using job = chaosJob();
    const clean = await calmRun(job);
    const run = startRun(job, "--set", "workers.replaceSeconds=60");
    await run.reaches(3);
    const frozen = run.worker(1)!;
    process.kill(frozen, "SIGSTOP");
    await run.sees(
      "it is suspect or gone",
      ({ members }) => !members.some((m) => m.workerId === "worker-1" && !m.suspect),
    );
    const then = run.steps();
    await run.reaches(then + 3); // others compute what it holds
    await run.held(async () => {
      await run.sees("it is expelled", ({ members }) => members.every((m) => m.workerId !== "worker-1"));
      process.kill(frozen, "SIGCONT");
      await run.sees("it is back", isMember("worker-1"));
    });
    expect(run.worker(1)).toBe(frozen);
    await run.endsLike(clean);
    expect(logOf(run)).toContain('"decision":"expelled","subject":"worker-1"');
  });

  it("25b: a worker that never wakes is replaced", async () => {
    using job = chaosJob();
    const clean = await calmRun(job);
    const run = startRun(job, "--set", "workers.replaceSeconds=1");
    await run.reaches(3);
    const frozen = run.worker(1)!;
    process.kill(frozen, "SIGSTOP");
    await run.held(async () => {
      await successor(run, 1, frozen, 20);
      await run.sees("it is ready", isMember("worker-1"));
    });
    await run.endsLike(clean);
    expect((await run.finished).stderr).toContain(
      "worker-1 was expelled and is not back after 1 s; replacing its process",
    );
  });

  it("a worker that answers and never finishes is found by its lease", async () => {
    using job = chaosJob();
    const clean = await calmRun(job);
    const run = startRun(job, "--workers", "1");
    await run.reaches(3);
    await run.held(() => {
      run.join("hangs", { fault: "hang" });
      return run.sees("it is a member", isMember("hangs"));
    });
    await run.sees("it has got work", ({ decisions }) =>
      decisions.some((d) => d.decision === "share" && d.reason.includes("hangs")),
    );
    const then = run.steps();
    await run.reaches(then + 3); // others compute what it holds
    await run.held(() =>
      run.sees("it is expelled", ({ decisions }) =>
        decisions.some(
          (d) => d.decision === "expelled" && d.subject === "hangs" && d.reason.startsWith("no progress on its leases"),
        ),
      ),
    );
    await run.endsLike(clean);
  });

  it("23: a worker that gets a tenth of its time slows nobody down: others compute its blocks too", async () => {
    using job = chaosJob();
    const clean = await calmRun(job);
    const run = startRun(job, "--workers", "3");
    let over = false;
    void run.finished.then(() => {
      over = true;
    });
    const throttle = async (slow: number) => {
      const send = (name: NodeJS.Signals) => {
        try {
          process.kill(slow, name);
        } catch {
          over = true; // it left when the run ended
        }
      };
      while (!over) {
        send("SIGSTOP");
        await pause(450);
        send("SIGCONT");
        await pause(50);
      }
    };
    const throttled = await run.held(async () => {
      await run.sees("three workers", ready(3));
      return { end: throttle(run.worker(2)!) };
    });
    await run.sees("copies of its blocks", ({ decisions }) =>
      decisions.some((d) => d.decision === "speculation" && d.reason.includes("worker-2")),
    );
    await run.endsLike(clean);
    await throttled.end;
  });
});

describe("workers that compute wrong numbers", () => {
  it("a worker with a flipped bit is named and expelled by the audit, and its step is computed again", async () => {
    using job = chaosJob({ extra: "  audit: { rate: 1 }" });
    const clean = await calmRun(job);
    const run = startRun(job, "--workers", "3");
    const liar = await run.held(async () => {
      await run.sees("three workers", ready(3));
      const end = endOf(run.join("liar", { fault: "flip" }));
      await run.sees("it is a member", isMember("liar"));
      return { end };
    });
    const { code, stderr } = await liar.end;
    expect(code).toBe(2);
    expect(stderr).toContain("it computes wrong numbers");
    await run.endsLike(clean);
    const log = logOf(run);
    expect(log).toContain('"decision":"redo","subject":"step ');
    expect(log).toContain('"decision":"expel","subject":"liar"');
    const audited = await plume("audit", run.out);
    expect(audited.stdout).toContain("exactly once yes");
    expect(blocksOf(run.out).every(({ blocks }) => blocks.every(({ worker }) => worker !== "liar"))).toBe(true);
  });

  it("workers of another version, job, or numerics class are refused by name, and the job goes on", async () => {
    using job = chaosJob();
    const clean = await calmRun(job);
    const run = startRun(job);
    await run.reaches(2);
    const ends = await run.held(() =>
      Promise.all(["version", "spec", "canary"].map((fault) => endOf(run.join(`other-${fault}`, { fault })))),
    );
    const [version, spec, canary] = ends.map(({ stderr }) => stderr);
    expect(ends.map(({ code }) => code)).toEqual([2, 2, 2]);
    expect(version).toMatch(/runs plume 9\.9\.9, the coordinator plume \d/);
    expect(spec).toMatch(/prepared for a job with the digest 0{64}, this one has [0-9a-f]{64}/);
    expect(canary).toMatch(
      /its canary gives wasm:0123456789abcdef, the run's class is wasm:[0-9a-f]{16}: its bits would differ/,
    );
    await run.endsLike(clean);
  });

  it("a worker of another numerics class is admitted under mixed, and noted", async () => {
    using mixed = chaosJob({ steps: 60, workers: "numerics: mixed" });
    const tolerant = startRun(mixed);
    await tolerant.reaches(2);
    await tolerant.held(() => {
      tolerant.join("other", { fault: "canary" });
      return tolerant.sees("it is a member", isMember("other"));
    });
    expect((await tolerant.finished).code).toBe(0);
    const summary = JSON.parse(linesOf(`${tolerant.out}/summary.json`).join("\n"));
    expect(summary.reproducible).toBe(false);
    expect(summary.numericsClasses).toHaveLength(2);
    expect(summary.blemishes[0]).toContain("2 numerics classes took part");
  });
});
