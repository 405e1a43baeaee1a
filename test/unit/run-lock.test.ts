import { spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { acquireRunLock, decideTakeover, type LockRecord, readRunLock } from "../../shared/run-lock/lock.ts";
import { scratchFolder } from "../support/plume.ts";

const LOCK = fileURLToPath(new URL("../../shared/run-lock/lock.ts", import.meta.url));
const me = { job: "j", version: "1" };

/** A process that takes the lock, says how it went, and stays until it is killed. */
function holder(folder: string) {
  const script = `const { acquireRunLock } = await import(${JSON.stringify(LOCK)});
    try { console.log("held " + acquireRunLock(${JSON.stringify(folder)}, { job: "j", version: "1" }).incarnation); }
    catch (error) { console.log(error.code + " " + error.message); }
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const said = new Promise<string>((resolve) =>
    child.stdout.on("data", (chunk: Buffer) => resolve(String(chunk).trim())),
  );
  const kill = () =>
    new Promise<void>((resolve) => {
      child.on("exit", () => resolve());
      child.kill("SIGKILL");
    });
  return { said, kill, pid: child.pid! };
}

const record = (change: Partial<LockRecord> = {}): LockRecord => ({
  job: "j",
  host: "here",
  pid: 7,
  startTime: "100",
  incarnation: 1,
  address: "",
  url: "",
  version: "1",
  since: "2026-01-01T00:00:00.000Z",
  ...change,
});

describe("the lock of a run's folder", () => {
  it("may be taken when its holder is gone, or its pid is another process now; a holder elsewhere lives", () => {
    const facts = (startTime: string | null) => ({ host: "here", processStartTime: () => startTime });
    expect(decideTakeover(null, facts(null)).kind).toBe("free");
    expect(decideTakeover(record(), facts(null)).kind).toBe("stale");
    expect(decideTakeover(record(), facts("101")).kind).toBe("stale");
    expect(decideTakeover(record(), facts("100")).kind).toBe("held");
    expect(decideTakeover(record(), facts("")).kind).toBe("held");
    expect(decideTakeover(record({ host: "there" }), facts(null)).kind).toBe("held");
  });

  it("is refused to a second process, by the first one's name, and taken over when that is killed", async () => {
    using scratch = scratchFolder();
    const first = holder(scratch.path);
    expect(await first.said).toBe("held 1");
    expect(() => acquireRunLock(scratch.path, me)).toThrow(
      `${scratch.path} is in use by the coordinator of job j (pid ${first.pid} on ${hostname()}`,
    );
    await first.kill();
    const lock = acquireRunLock(scratch.path, me);
    expect(lock.incarnation).toBe(2);
    lock.release();
    expect(existsSync(scratch.file("coordinator.json"))).toBe(false);
    const again = acquireRunLock(scratch.path, me);
    expect(again.incarnation).toBe(3);
    again.release();
  });

  it("goes to exactly one of several that race for a dead one's", async () => {
    using scratch = scratchFolder();
    writeFileSync(
      scratch.file("coordinator.json"),
      JSON.stringify(record({ host: hostname(), pid: 2 ** 22 + 1, incarnation: 4 })),
    );
    const racers = Array.from({ length: 5 }, () => holder(scratch.path));
    const outcomes = await Promise.all(racers.map(({ said }) => said));
    await Promise.all(racers.map(({ kill }) => kill()));
    expect(outcomes.filter((outcome) => outcome.startsWith("held"))).toEqual(["held 5"]);
    expect(outcomes.filter((outcome) => outcome.startsWith("FAILED_PRECONDITION"))).toHaveLength(4);
  });

  it("is free when its file is torn, and tells others where the coordinator listens", () => {
    using scratch = scratchFolder();
    writeFileSync(scratch.file("coordinator.json"), '{"job": "j", "pi');
    expect(readRunLock(scratch.path)).toBeNull();
    const lock = acquireRunLock(scratch.path, me);
    lock.announce("127.0.0.1:7");
    expect(readRunLock(scratch.path)).toMatchObject({
      alive: true,
      record: { address: "127.0.0.1:7", pid: process.pid },
    });
    lock.release();
    lock.release();
    expect(readRunLock(scratch.path)).toBeNull();
  });

  it("is lost without harm to the one that took over", () => {
    using scratch = scratchFolder();
    const lock = acquireRunLock(scratch.path, me);
    const other = record({ host: "there", incarnation: 9 });
    writeFileSync(join(scratch.path, "coordinator.json"), JSON.stringify(other));
    expect(lock.held()).toBe(false);
    expect(() => lock.announce("127.0.0.1:7")).toThrow(/another coordinator has taken over/);
    lock.release();
    expect(readRunLock(scratch.path)?.record).toEqual(other);
  });
});
