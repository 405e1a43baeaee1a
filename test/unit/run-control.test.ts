import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createAccounts } from "../../coordinator/accounting/accounts.ts";
import type { Checkpointer } from "../../coordinator/checkpointing/checkpointer.ts";
import { createSnapshotter, decideSnapshot } from "../../coordinator/checkpointing/snapshots.ts";
import { createDesk } from "../../coordinator/control/desk.ts";
import { createHold } from "../../coordinator/control/hold.ts";
import { decideScale } from "../../coordinator/control/scale.ts";
import { createBus } from "../../shared/bus/bus.ts";
import type { RunEvent } from "../../shared/bus/events.ts";
import type { StatusReport } from "../../shared/control/verbs.ts";
import { PlumeError } from "../../shared/errors.ts";
import { decideRestart } from "../../shared/restart.ts";

describe("a process that ended", () => {
  const fresh = { failuresInRow: 0, productive: false };
  const killed = { code: null, signal: "SIGKILL" };

  it("is started again at once the first time, and after growing pauses when it fails before any work", () => {
    expect(decideRestart(killed, fresh, 5)).toEqual({
      kind: "restart",
      afterMs: 0,
      failuresInRow: 1,
      reason: "was killed (SIGKILL); starting it again at once",
    });
    const pauses = [1, 2, 3, 10].map((failuresInRow) => decideRestart(killed, { ...fresh, failuresInRow }, 50));
    expect(pauses.map((decision) => decision.kind === "restart" && decision.afterMs)).toEqual([250, 500, 1000, 30_000]);
  });

  it("is given up after the limit, unless it had worked meanwhile", () => {
    expect(decideRestart(killed, { ...fresh, failuresInRow: 2 }, 2)).toMatchObject({
      kind: "give-up",
      reason: "was killed (SIGKILL); 3 failures in a row without any work done",
    });
    expect(decideRestart(killed, { ...fresh, failuresInRow: 1 }, 2)).toMatchObject({
      kind: "restart",
      failuresInRow: 2,
      reason: "was killed (SIGKILL); starting it again in 0.25 s",
    });
    expect(decideRestart(killed, { failuresInRow: 2, productive: true }, 2)).toMatchObject({
      kind: "restart",
      failuresInRow: 1,
    });
  });

  it("comes back when it only left, and does not when it may not come back as it is", () => {
    expect(decideRestart({ code: 0, signal: null }, { ...fresh, failuresInRow: 4 }, 0)).toMatchObject({
      kind: "restart",
      failuresInRow: 0,
    });
    expect(decideRestart({ code: 2, signal: null }, fresh, 5).kind).toBe("give-up");
  });
});

describe("scaling", () => {
  const state = { phase: "Training", desired: 2, min: 2, max: 4, perPod: 1, supervised: true } as const;

  it("is granted within min and max, and only while the run goes on", () => {
    expect(decideScale(4, state)).toEqual({ kind: "scale", reason: "asked to go from 2 to 4 workers" });
    expect(decideScale(2, { ...state, desired: 4 }).kind).toBe("scale");
    expect(decideScale(2, state).kind).toBe("unchanged");
    expect(decideScale(5, state)).toMatchObject({ kind: "refuse", reason: expect.stringContaining("too many") });
    expect(decideScale(1, state)).toMatchObject({ kind: "refuse", reason: expect.stringContaining("too few") });
    expect(decideScale(3, { ...state, phase: "Paused" })).toMatchObject({
      kind: "refuse",
      reason: "the run is paused",
    });
    for (const phase of ["Complete", "Stopped", "Failed"] as const)
      expect(decideScale(3, { ...state, phase })).toMatchObject({
        kind: "refuse",
        reason: `the run is over (${phase})`,
      });
    expect(decideScale(3, { ...state, supervised: false }).kind).toBe("refuse");
    expect(decideScale(3, { ...state, phase: "Waiting" }).kind).toBe("scale"); // the way out of waiting
  });
});

describe("a hold", () => {
  it("lets the run pass once it is resumed, or stopped", async () => {
    const hold = createHold(null);
    await hold.passed(new AbortController().signal);
    expect([hold.pause("asked"), hold.pause("again"), hold.paused]).toEqual([true, false, "asked"]);
    let through = false;
    const passing = hold.passed(new AbortController().signal).then(() => {
      through = true;
    });
    await Promise.resolve();
    expect(through).toBe(false);
    expect([hold.resume(), hold.resume()]).toEqual([true, false]);
    await passing;
    hold.pause("asked");
    const stop = new AbortController();
    const stopped = hold.passed(stop.signal);
    stop.abort();
    await stopped;
  });

  it("holds a run that was paused before its coordinator died, and one that is paused again at once", async () => {
    const hold = createHold("asked to");
    expect(hold.paused).toBe("asked to");
    let through = false;
    const passing = hold.passed(new AbortController().signal).then(() => {
      through = true;
    });
    hold.resume();
    hold.pause("asked again");
    await new Promise((resolve) => setImmediate(resolve));
    expect([through, hold.paused]).toEqual([false, "asked again"]);
    hold.resume();
    await passing;
    hold.pause("asked to");
    await hold.passed(AbortSignal.abort()); // it was stopped before
  });

  it("never runs two exclusive acts at once, and a failure of one does not stop the next", async () => {
    const hold = createHold(null);
    const order: string[] = [];
    const act = (name: string, fail = false) =>
      hold.exclusive(async () => {
        order.push(`${name} begins`);
        await new Promise((resolve) => setImmediate(resolve));
        order.push(`${name} ends`);
        if (fail) throw new Error(name);
        return name;
      });
    const [first, second] = await Promise.allSettled([act("commit", true), act("copy")]);
    expect(order).toEqual(["commit begins", "commit ends", "copy begins", "copy ends"]);
    expect([first.status, second.status]).toEqual(["rejected", "fulfilled"]);
  });
});

describe("a snapshot", () => {
  const state = { nowMs: 10_000, lastMs: 8_000, lastSeconds: 0.01, busy: false };

  it("is due after its interval, never while one is written, and never for more than a quarter of the time", () => {
    expect(decideSnapshot({ ...state, lastMs: null }, 2)).toBe(true);
    expect(decideSnapshot(state, 2)).toBe(true);
    expect(decideSnapshot({ ...state, lastMs: 8_001 }, 2)).toBe(false);
    expect(decideSnapshot({ ...state, busy: true }, 2)).toBe(false);
    expect(decideSnapshot({ ...state, lastSeconds: 1 }, 2)).toBe(false);
    expect(decideSnapshot({ ...state, nowMs: 12_000, lastSeconds: 1 }, 2)).toBe(true);
    expect(decideSnapshot({ ...state, lastMs: null }, 0)).toBe(false);
  });

  it("is saved when it is due, and less often once one has taken long", async () => {
    let nowMs = 0;
    const saved: number[] = [];
    const saver = { busy: false, save: async (step: number) => void saved.push(step) };
    const snapshotter = createSnapshotter({
      saver: saver as unknown as Checkpointer,
      crowded: () => nowMs === 7000,
      everySeconds: 2,
      now: () => nowMs,
    });
    const offer = async (step: number, ms: number) => {
      nowMs = ms;
      await snapshotter.offer(step);
    };
    await offer(1, 0);
    await offer(2, 1999);
    await offer(3, 2000);
    snapshotter.took(1); // four seconds must pass
    await offer(4, 5999);
    saver.busy = true;
    await offer(5, 6000);
    saver.busy = false;
    await offer(6, 7000);
    await offer(7, 7001);
    expect(saved).toEqual([1, 3, 7]);
  });
});

describe("the accounts", () => {
  const open = (folder: string, at: { ms: number }, change: object = {}) =>
    createAccounts({
      file: join(folder, "journal.json"),
      recovering: false,
      firstStep: 0,
      replayUntil: 0,
      steps: 100,
      desired: 2,
      now: () => at.ms,
      epochMs: () => 1_700_000_000_000 + at.ms,
      ...change,
    });

  it("go on after a crash from what was written down: time, recoveries, pause, workers asked for", () => {
    const folder = mkdtempSync(join(tmpdir(), "plume-accounts-"));
    try {
      const at = { ms: 0 };
      const first = open(folder, at);
      at.ms = 2000;
      expect(first.enter("Training", "2 workers ready")).toEqual({ phase: "Training", reason: "2 workers ready" });
      at.ms = 5000;
      for (let step = 0; step < 4; step++) first.committed(step, 0.5);
      first.setDesired(3);
      first.setPaused("asked to pause");
      first.failed("worker", "worker-1", "its stream broke");
      // It is killed here; three seconds later another process reads what is there.
      at.ms = 8000;
      const second = open(folder, at, { recovering: true, firstStep: 2, replayUntil: 4 });
      expect([second.desired, second.paused, second.firstStep]).toEqual([3, "asked to pause", 0]);
      expect(second.view()).toMatchObject({
        wallSeconds: 8,
        secondsByState: { waiting: 2, productive: 3, recovering: 3 },
        goodput: 3 / 8,
      });
      at.ms = 9000;
      expect(second.enter("Waiting", "0 of at least 1")).toEqual({ phase: "Recovering", reason: "0 of at least 1" });
      at.ms = 10_000;
      expect(second.enter("Training", "2 workers ready")).toEqual({
        phase: "Recovering",
        reason: "steps 2 to 3 are computed again",
      });
      at.ms = 11_000;
      expect(second.committed(2, 0.5)).toEqual([]);
      expect(second.committed(3, 0.5)).toEqual([]);
      expect(second.enter("Training", "2 workers ready").phase).toBe("Training");
      at.ms = 11_500;
      expect(second.committed(4, 0.5)).toMatchObject([
        { kind: "worker", subject: "worker-1", step: 4, seconds: 6.5 },
        { kind: "coordinator", step: 4, seconds: 6.5 },
      ]);
      const { secondsByState, wallSeconds } = second.view();
      expect(Object.values(secondsByState).reduce((sum, s) => sum + s, 0)).toBeCloseTo(wallSeconds, 9);
      expect(wallSeconds).toBeCloseTo(11.5, 9);
      expect(secondsByState.redone).toBeCloseTo(1, 9);
      second.close(true);
      expect(existsSync(join(folder, "journal.json"))).toBe(false);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe("the desk", () => {
  function open(scale: (replicas: number) => number = () => 2) {
    const events: RunEvent[] = [];
    const bus = createBus((error) => {
      throw error;
    });
    bus.subscribe((event) => events.push(event));
    const scaled: number[] = [];
    const desk = createDesk({
      bus,
      report: () => ({ job: "tiny" }) as StatusReport,
      stop: () => true,
      commands: {
        pause: () => true,
        resume: () => false,
        checkpoint: async () => 7,
        scale(replicas) {
          scaled.push(replicas);
          return scale(replicas);
        },
      },
    });
    const ask = (verb: string, args: unknown = {}, id = `id-${verb}`) => desk.ask({ id, verb, args, by: "test" });
    return { ask, events, scaled };
  }

  it("carries a request out once, however often it is sent, and tells it once", async () => {
    const { ask, scaled, events } = open();
    const replies = await Promise.all([1, 2, 3].map(() => ask("scale", { replicas: 4 })));
    replies.push(await ask("scale", { replicas: 4 }));
    for (const reply of replies)
      expect(reply).toEqual({ id: "id-scale", verb: "scale", ok: true, result: { before: 2, replicas: 4 } });
    expect(scaled).toEqual([4]);
    expect(events).toEqual([{ kind: "command", verb: "scale", by: "test", outcome: "done" }]);
  });

  it("does not take the id of one command for another", async () => {
    const { ask } = open();
    await ask("pause", {}, "x");
    expect(await ask("resume", {}, "x")).toMatchObject({
      ok: false,
      error: { code: "INVALID_ARGUMENT", message: 'the id "x" was used for pause before' },
    });
  });

  it("answers a refusal with code, message and remedy, and tells that too", async () => {
    const { ask, events } = open(() => {
      throw new PlumeError("FAILED_PRECONDITION", "9 workers are too many", { remedy: "choose 1 to 8" });
    });
    expect(await ask("scale", { replicas: 9 })).toMatchObject({
      ok: false,
      error: { code: "FAILED_PRECONDITION", message: "9 workers are too many", remedy: "choose 1 to 8" },
    });
    expect(events).toMatchObject([{ outcome: "FAILED_PRECONDITION: 9 workers are too many" }]);
  });

  it.each([
    ["explode", {}, '"explode" is no command'],
    ["toString", {}, '"toString" is no command'],
    ["scale", {}, "scale: replicas: "],
    ["scale", { replicas: 0 }, "scale: replicas: "],
    ["scale", { replicas: 2, force: true }, "scale: its arguments: "],
    ["pause", null, "pause: its arguments: "],
  ])("refuses %s with %o by name", async (verb, args, message) => {
    const { ask, scaled } = open();
    const reply = await ask(verb, args);
    expect(reply).toMatchObject({ ok: false, error: { code: "INVALID_ARGUMENT" } });
    expect(!reply.ok && reply.error.message).toContain(message);
    expect(!reply.ok && reply.error.remedy).toBeTruthy();
    expect(scaled).toEqual([]);
  });

  it("wants an id for what changes a run, and none for a look at it", async () => {
    const { ask } = open();
    expect(await ask("pause", {}, "")).toMatchObject({ ok: false, error: { code: "INVALID_ARGUMENT" } });
    expect(await ask("status", {}, "")).toMatchObject({ ok: true, result: { job: "tiny" } });
  });
});
