import { EventEmitter } from "node:events";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { againCommand } from "../../coordinator/cli/next.ts";
import { clip, columnsOf } from "../../coordinator/cli/progress/columns.ts";
import { isLive, lookOf } from "../../coordinator/cli/progress/style.ts";
import { createProgressLine } from "../../coordinator/cli/progress-line.ts";
import type { MemberView, RunEvent, RunStatus } from "../../shared/bus/events.ts";
import { createVirtualScreen } from "../support/screen.ts";

const PICTURE = new RegExp(`^${"\u001b"}\\[\\?2026h.*${"\u001b"}\\[\\?2026l$`, "s");
const SGR = new RegExp(`${"\u001b"}\\[[\\d;]*m`);

const member = (index: number, more: Partial<MemberView> = {}): MemberView => ({
  workerId: `worker-${index}`,
  phase: "ready",
  device: "wasm: cpu",
  transport: "shm",
  imagesPerSecond: 120,
  heartbeatAgeMs: 100,
  share: 0.5,
  suspect: "",
  queued: 2,
  ...more,
});

const statusOf = (more: Partial<RunStatus> = {}): RunStatus => ({
  job: "fashion",
  phase: "Training",
  reason: "2 workers ready",
  step: 50,
  steps: 200,
  loss: 0.25,
  imagesPerSecond: 240,
  etaSeconds: 90,
  workers: 2,
  members: [member(0), member(1)],
  incarnation: 1,
  desired: 2,
  min: 1,
  max: 8,
  secondsByState: {},
  wallSeconds: 10,
  goodput: 0.9,
  saves: { written: 1, failed: 0, retried: 0, stallSeconds: 0, passedOver: 0 },
  ...more,
});

const shown = (more: Partial<RunStatus> = {}): RunEvent => ({ kind: "status", status: statusOf(more) });
const joined: RunEvent = { kind: "worker", workerId: "worker-1", change: "joined", reason: "wasm: cpu, shm" };

/** A terminal with a progress on it. */
function terminal(columns: number, rows: number, { isTTY = true, env = { TERM: "xterm-256color" } as object } = {}) {
  const screen = createVirtualScreen(columns, rows);
  const written: string[] = [];
  const output = Object.assign(new EventEmitter(), {
    isTTY,
    columns,
    rows,
    write(text: string) {
      written.push(text);
      screen.write(text);
      return true;
    },
  });
  const progress = createProgressLine(output as unknown as NodeJS.WriteStream, () => Date.now(), { ...env });
  const resize = (columns: number, rows: number) => {
    screen.resize(columns, rows);
    Object.assign(output, { columns, rows });
    output.emit("resize");
  };
  return { screen, written, progress, resize };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("the live block", () => {
  it("shows the run, why it is as it is, and a line a worker", () => {
    const { screen, progress } = terminal(100, 24);
    progress.show(shown({ members: [member(0), member(1, { suspect: "no heartbeat for 1.6 s", queued: 0 })] }));
    expect(screen.shown[0]).toMatch(
      /^fashion {2}━+─+ {2}step 50\/200 {2}25% {2}loss 0\.2500 {2}240 images\/s {2}ETA 1m30s$/,
    );
    expect(screen.shown[1]).toBe("Training: 2 workers ready · goodput 90 % · 1 checkpoint");
    expect(screen.shown[2]).toBe("  worker-0  ready    120 images/s  50 %  holds 2");
    expect(screen.shown[3]).toBe("  worker-1  suspect  120 images/s  50 %           no heartbeat for 1.6 s");
    expect(screen.shown).toHaveLength(4);
    expect(screen.cursorShown).toBe(false);
    progress.end();
    expect(screen.shown).toHaveLength(1);
    expect(screen.shown[0]).toContain("step 50/200");
    expect(screen.cursorShown).toBe(true);
  });

  it("is renewed ten times a second at most, each time in one write that is a whole picture", () => {
    const { screen, written, progress } = terminal(100, 24);
    for (let ms = 0; ms < 2_000; ms += 5) {
      progress.show(shown({ step: ms }));
      vi.advanceTimersByTime(5);
    }
    expect(written.length).toBeGreaterThan(15);
    expect(written.length).toBeLessThanOrEqual(21);
    expect(screen.pictures).toBe(written.length);
    for (const text of written) expect(text).toMatch(PICTURE);
    expect(screen.shown[0]).toContain("step 1995/200");
  });

  it("counts on while nothing happens", () => {
    const { screen, progress } = terminal(100, 24);
    progress.show(shown({ phase: "Paused", reason: "asked to pause (page)" }));
    vi.advanceTimersByTime(65_000);
    expect(screen.shown[1]).toContain("Paused: asked to pause (page) · for 1m05s");
  });

  it("lets events go by above it, and notes of others", () => {
    const { screen, progress } = terminal(100, 24);
    progress.show(shown());
    progress.show(joined);
    progress.note("  worker-0 was killed (SIGKILL); starting it again at once");
    vi.advanceTimersByTime(100);
    expect(screen.shown[0]).toBe("  worker-1 joined: wasm: cpu, shm");
    expect(screen.shown[1]).toBe("  worker-0 was killed (SIGKILL); starting it again at once");
    expect(screen.shown[2]).toContain("step 50/200");
    expect(screen.shown).toHaveLength(6);
  });

  it("keeps every line that went by when the screen scrolls", () => {
    const { screen, progress } = terminal(80, 10);
    for (let step = 0; step < 30; step++) {
      progress.show(shown({ step }));
      progress.show({ kind: "warning", message: `number ${step}` });
      vi.advanceTimersByTime(100);
    }
    progress.end();
    const said = screen.all.filter((line) => line.includes("WARNING"));
    expect(said).toEqual(Array.from({ length: 30 }, (_, n) => `  WARNING: number ${n}`));
    expect(screen.all.filter((line) => line.includes("/200"))).toHaveLength(1);
  });

  it("sums up the workers that have no room, those in trouble shown first", () => {
    const members = Array.from({ length: 40 }, (_, i) =>
      member(i, i === 33 ? { suspect: "no progress for 20 s" } : {}),
    );
    const { screen, progress } = terminal(100, 24);
    progress.show(shown({ members, workers: 40 }));
    expect(screen.shown).toHaveLength(10);
    expect(screen.shown.some((line) => /worker-33 +suspect/.test(line))).toBe(true);
    expect(screen.shown.at(-1)).toBe("  … 33 more workers: 33 ready, 3960 images/s");
  });

  it("leaves nothing behind when the terminal becomes narrower, wider or lower", () => {
    const { screen, progress, resize } = terminal(120, 30);
    progress.show(joined);
    progress.show(shown());
    for (const [columns, rows] of [
      [60, 30],
      [24, 30],
      [90, 12],
      [30, 20],
      [120, 30],
    ] as const) {
      resize(columns, rows);
      vi.advanceTimersByTime(100);
      progress.show(shown());
      vi.advanceTimersByTime(100);
      expect(screen.shown.filter((line) => line.includes("50/200")).length).toBeLessThanOrEqual(1);
      expect(screen.shown.length).toBeLessThanOrEqual(rows);
    }
    const seen = screen.shown;
    expect(seen.at(-4)).toContain("step 50/200");
    expect(seen.at(-1)).toContain("worker-1");
    resize(120, 3);
    vi.advanceTimersByTime(100);
    expect(screen.shown).toHaveLength(2);
    expect(screen.shown[0]).toContain("step 50/200");
    progress.end();
    expect(screen.shown).toHaveLength(1);
  });

  it("drops what is least needed first, and never a step", () => {
    for (const columns of [10, 14, 20, 30, 40, 60, 80, 200]) {
      const { screen, progress } = terminal(columns, 24);
      progress.show(shown({ steps: 200 }));
      for (const line of screen.shown) expect(columnsOf(line)).toBeLessThan(columns);
      expect(screen.shown[0]).toContain(columns > 13 ? "step 50/200" : "step 50");
      progress.end();
    }
  });

  it("fits whatever a worker or a reason is called, and lets none of it steer the terminal", () => {
    const text = fc.string({ unit: "grapheme", maxLength: 60 });
    fc.assert(
      fc.property(
        text,
        text,
        fc.integer({ min: 3, max: 90 }),
        fc.integer({ min: 2, max: 12 }),
        (a, b, columns, rows) => {
          const { screen, progress } = terminal(columns, rows);
          const evil = `${b}\u001b[2J\r\n\u0007${a}`;
          progress.show(shown({ job: evil, reason: evil, members: [member(0, { workerId: evil, suspect: evil })] }));
          vi.advanceTimersByTime(100);
          progress.show(shown({ job: evil, reason: evil, members: [member(0, { workerId: evil, suspect: evil })] }));
          expect(screen.all.length).toBeLessThanOrEqual(rows);
          for (const line of screen.shown) expect(columnsOf(line)).toBeLessThan(columns);
          progress.end();
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe("without a live terminal", () => {
  it("writes whole lines: one when the phase changes, one in ten seconds", () => {
    for (const how of [{ isTTY: false }, { env: { TERM: "dumb" } }]) {
      const { written, progress } = terminal(100, 24, how);
      progress.show(shown({ phase: "Waiting", reason: "0 of at least 1 workers are ready" }));
      for (let s = 0; s < 25; s++) {
        progress.show(shown({ step: s }));
        vi.advanceTimersByTime(1_000);
      }
      progress.show(joined);
      progress.end();
      expect(written.map((line) => line.replace(/ {2}(loss|worker).*/s, ""))).toEqual([
        "Waiting: 0 of at least 1 workers are ready (step 50/200)\n",
        "step 0/200   0%",
        "step 10/200   5%",
        "step 20/200  10%",
        "",
      ]);
      for (const line of written) expect(line).toMatch(/^[^\p{Cc}]*\n$/u);
    }
  });

  it("is coloured only where it should be", () => {
    expect(lookOf(true, {}).colour).toBe(true);
    expect(lookOf(false, {}).colour).toBe(false);
    expect(lookOf(true, { NO_COLOR: "1" }).colour).toBe(false);
    expect(lookOf(true, { NO_COLOR: "" }).colour).toBe(true);
    expect(lookOf(false, { FORCE_COLOR: "1" }).colour).toBe(true);
    expect(lookOf(true, { FORCE_COLOR: "0" }).colour).toBe(false);
    expect(lookOf(true, { TERM: "dumb" })).toEqual({ colour: false, unicode: false });
    expect(isLive(true, { TERM: "dumb" })).toBe(false);
    const { written, progress } = terminal(100, 24, { env: { NO_COLOR: "1", TERM: "xterm" } });
    progress.show(shown());
    progress.end();
    expect(written.join("")).not.toMatch(SGR);
  });
});

describe("columns", () => {
  it("counts what a terminal shows, not what JavaScript stores", () => {
    for (const [text, columns] of [
      ["abc", 3],
      ["日本", 4],
      ["e\u0301", 1],
      ["👩‍🚀", 2],
      ["ｶﾅ", 2],
      ["…", 1],
      ["", 0],
    ] as const)
      expect(columnsOf(text), text).toBe(columns);
    expect(clip("日本語", 5, "…")).toBe("日本…");
    expect(clip("日本語", 4, "…")).toBe("日…");
  });
});

describe("what to do next", () => {
  it("is the command again, without what it was told about the start, as a shell takes it", () => {
    const again = againCommand(["train", "-f", "my job.yaml", "--resume", "never", "--set", "a='b'", "--resume=never"]);
    expect(again).toBe(`plume train -f 'my job.yaml' --set 'a='\\''b'\\'''`);
  });
});
