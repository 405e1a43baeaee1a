// The accounts of a run add up to its wall time, and outlive the coordinator that keeps them.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Accounts, createAccounts } from "../../coordinator/accounting/accounts.ts";
import { GOODPUT_STATES } from "../../shared/bus/events.ts";

const EPOCH = 1_700_000_000_000;
const none = Object.fromEntries(GOODPUT_STATES.map((state) => [state, 0]));

let folder: string;
let file: string;
let nowMs: number;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  folder = mkdtempSync(join(tmpdir(), "plume-accounts-"));
  file = join(folder, "journal.json");
  nowMs = 0;
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true });
});

const open = (change: object = {}): Accounts =>
  createAccounts({
    file,
    recovering: false,
    firstStep: 0,
    replayUntil: 0,
    steps: 100,
    desired: 2,
    now: () => nowMs,
    epochMs: () => EPOCH + nowMs,
    ...change,
  });
/** What the next incarnation makes of what the one before, killed, has left. */
const recover = (change: object = {}) => open({ recovering: true, ...change });
const secondsOf = (accounts: Accounts) => accounts.view().secondsByState;
/** Steps that take so many seconds each, from `first` on. */
const steps = (accounts: Accounts, first: number, ...seconds: number[]) =>
  seconds.flatMap((each, i) => {
    nowMs += 1000 * each;
    return accounts.committed(first + i, each);
  });

describe("the accounts of a run", () => {
  it("book every phase on its state, and add up to the time that passed", () => {
    const accounts = open();
    const phases = ["Waiting", "Training", "Paused", "Sampling", "Saving", "Recovering"] as const;
    nowMs = 1000; // it starts
    phases.forEach((phase, i) => {
      expect(accounts.enter(phase, "why")).toEqual({ phase, reason: "why" });
      nowMs += 1000 * 2 ** (i + 1);
    });
    const expected = { waiting: 3, productive: 4, paused: 8, sampling: 16, checkpointing: 32, recovering: 64 };
    expect(accounts.view()).toEqual({
      secondsByState: { ...none, ...expected },
      wallSeconds: 127,
      goodput: 4 / 127,
    });
  });

  it("count as recovery what the first step after a failure took longer than the median step", () => {
    const accounts = open();
    accounts.enter("Training", "");
    expect(steps(accounts, 0, 3, 1, 2)).toEqual([]);
    accounts.failed("worker", "worker-1", "its stream broke");
    const failedMs = EPOCH + nowMs;
    const recovery = { kind: "worker", subject: "worker-1", reason: "its stream broke", atMs: failedMs };
    expect(steps(accounts, 3, 6)).toEqual([{ ...recovery, step: 3, seconds: 6 }]);
    expect(secondsOf(accounts)).toEqual({ ...none, productive: 8, recovering: 4 });
    // It is over: the next slow step is only slow, and one that a failure did not slow cost nothing.
    expect(steps(accounts, 4, 6)).toEqual([]);
    accounts.failed("worker", "worker-2", "killed");
    steps(accounts, 5, 1);
    expect(secondsOf(accounts)).toEqual({ ...none, productive: 15, recovering: 4 });
    expect(accounts.recoveries.map(({ subject, step }) => [subject, step])).toEqual([
      ["worker-1", 3],
      ["worker-2", 5],
    ]);
  });

  it("know the usual step by the newest, not by those of long ago", () => {
    const accounts = open();
    accounts.enter("Training", "");
    steps(accounts, 0, ...Array<number>(40).fill(5), ...Array<number>(21).fill(1));
    accounts.failed("worker", "worker-1", "killed");
    steps(accounts, 61, 3);
    expect(secondsOf(accounts)).toEqual({ ...none, productive: 222, recovering: 2 });
  });

  it("count as recovery what held a step up without a word: a coordinator that was asleep and noticed nothing", () => {
    const accounts = open();
    accounts.enter("Training", "");
    steps(accounts, 0, 1, 1, 1, 3, 9);
    expect(secondsOf(accounts)).toEqual({ ...none, productive: 7, recovering: 8 });
  });

  it("book a step that begins again as done for nothing", () => {
    const accounts = open();
    accounts.enter("Training", "");
    nowMs = 5000;
    accounts.redone(2);
    expect(secondsOf(accounts)).toEqual({ ...none, productive: 3, redone: 2 });
  });

  it("name each blemish once", () => {
    const accounts = open();
    expect([accounts.blemish("other bits"), accounts.blemish("other bits"), accounts.blemish("mixed")]).toEqual([
      true,
      false,
      true,
    ]);
    expect(accounts.blemishes).toEqual(["other bits", "mixed"]);
  });

  it("call waiting for a lost worker waiting: only a coordinator that died makes a run recover", () => {
    const accounts = open();
    accounts.failed("worker", "worker-1", "killed");
    expect(accounts.enter("Waiting", "0 of at least 1").phase).toBe("Waiting");
    nowMs = 1000;
    expect(secondsOf(accounts)).toEqual({ ...none, waiting: 1 });
  });
});

describe("the accounts after a crash", () => {
  it("are there from the first moment on, and go on with no more than a second missing", () => {
    open({ firstStep: 7 });
    nowMs = 2000;
    const second = recover({ firstStep: 9 });
    expect(second.firstStep).toBe(7);
    expect(secondsOf(second)).toEqual({ ...none, recovering: 2 });
    second.enter("Training", "");
    nowMs = 3500;
    vi.advanceTimersByTime(1000);
    nowMs = 6000; // killed again, two and a half seconds after it wrote
    expect(recover().view()).toMatchObject({
      wallSeconds: 6,
      secondsByState: { ...none, productive: 1.5, recovering: 4.5 },
    });
  });

  it.each<[string, (accounts: Accounts) => void, object]>([
    ["the workers asked for", (accounts) => accounts.setDesired(5), { desired: 5 }],
    ["that it is paused", (accounts) => accounts.setPaused("asked to"), { paused: "asked to" }],
  ])("know at once %s", (_, change, expected) => {
    change(open());
    expect(recover()).toMatchObject({ desired: 2, paused: null, ...expected });
  });

  it("forget a pause that was over", () => {
    const first = open();
    first.setPaused("asked to");
    first.setPaused(null);
    expect(recover().paused).toBeNull();
  });

  it("know the failures it survived, and those that it did not yet", () => {
    const first = open();
    first.failed("worker", "worker-1", "killed");
    steps(first, 0, 1);
    const second = recover({ firstStep: 1, replayUntil: 1 }); // it died with the step: that it was over is known
    expect(second.recoveries.map(({ subject, step }) => [subject, step])).toEqual([["worker-1", 0]]);
    second.failed("worker", "worker-2", "killed");
    nowMs += 4000;
    const third = recover({ firstStep: 1, replayUntil: 1 });
    const over = steps(third, 1, 1).map(({ kind, subject, seconds }) => [kind, subject, seconds]);
    expect(over).toEqual([
      ["coordinator", "coordinator", 5],
      ["worker", "worker-2", 5],
      ["coordinator", "coordinator", 5],
    ]);
    expect(third.recoveries).toHaveLength(4);
  });

  it("know what may have changed the bits", () => {
    open().blemish("other bits");
    vi.advanceTimersByTime(1000);
    expect(recover().blemishes).toEqual(["other bits"]);
  });

  it("show waiting as recovering until the first new commit, and no longer", () => {
    open();
    const second = recover();
    expect(second.enter("Waiting", "0 of at least 1")).toEqual({ phase: "Recovering", reason: "0 of at least 1" });
    nowMs = 3000;
    expect(second.enter("Training", "1 worker ready").phase).toBe("Training");
    steps(second, 0, 1);
    expect(second.enter("Waiting", "0 of at least 1").phase).toBe("Waiting");
    nowMs += 500;
    expect(secondsOf(second)).toMatchObject({ recovering: 4, redone: 0, waiting: 0.5 });
  });

  it("book what is computed again as done for nothing, until a step is committed that was not before", () => {
    const second = recover({ firstStep: 2, replayUntil: 4 });
    second.enter("Waiting", "0 of at least 1");
    nowMs = 1000;
    expect(second.enter("Training", "")).toEqual({ phase: "Recovering", reason: "steps 2 to 3 are computed again" });
    expect(steps(second, 2, 1)).toEqual([]);
    expect(second.enter("Training", "").reason).toBe("steps 3 to 3 are computed again");
    expect(second.enter("Paused", "asked to")).toEqual({ phase: "Paused", reason: "asked to" });
    nowMs += 1000;
    second.enter("Training", "");
    expect(steps(second, 3, 1)).toEqual([]);
    expect(second.enter("Training", "why")).toEqual({ phase: "Training", reason: "why" });
    expect(steps(second, 4, 1)).toMatchObject([{ kind: "coordinator", step: 4, seconds: 5 }]);
    expect(secondsOf(second)).toEqual({ ...none, recovering: 1, redone: 2, paused: 1, productive: 1 });
  });

  it("end their recoveries with the last step when there is no newer one", () => {
    const second = recover({ firstStep: 98, replayUntil: 100 });
    expect(steps(second, 98, 1)).toEqual([]);
    expect(steps(second, 99, 1)).toMatchObject([{ kind: "coordinator", step: 99 }]);
  });

  it.each([
    ["nothing", null],
    ["half a file", '{"markedAtMs":17'],
    ["a file of another form", '{"markedAtMs":1700000000000}'],
  ])("begin anew where it has left %s", (_, text) => {
    if (text !== null) writeFileSync(file, text);
    const second = recover({ firstStep: 3, replayUntil: 3 });
    expect(second).toMatchObject({ firstStep: 3, desired: 2, paused: null, recoveries: [], blemishes: [] });
    nowMs = 2000;
    expect(secondsOf(second)).toEqual({ ...none, recovering: 2 });
    expect(steps(second, 3, 1)).toMatchObject([{ kind: "coordinator", seconds: 3 }]);
  });

  it("are not those of a run that is resumed by hand", () => {
    open().setDesired(5);
    nowMs = 2000;
    const resumed = open({ firstStep: 4, desired: 3 });
    nowMs = 3000;
    expect(resumed).toMatchObject({ firstStep: 4, desired: 3 });
    expect(secondsOf(resumed)).toEqual({ ...none, waiting: 1 });
  });
});

describe("the journal", () => {
  it("is what it was when it cannot be written, and the run goes on", () => {
    const first = open();
    first.setDesired(3);
    mkdirSync(`${file}.tmp`); // stands for a disk that takes no more
    first.setDesired(4);
    expect(first.desired).toBe(4);
    expect(recover().desired).toBe(3);
  });

  it("is brought up to date and left there when the coordinator ends before the run does", () => {
    const first = open();
    first.blemish("other bits");
    nowMs = 3000;
    first.close(false);
    expect(vi.getTimerCount()).toBe(0);
    first.setDesired(9); // it is closed: what it hears now counts no more
    nowMs = 4000;
    const second = recover();
    expect(second).toMatchObject({ desired: 2, blemishes: ["other bits"] });
    expect(secondsOf(second)).toEqual({ ...none, waiting: 3, recovering: 1 });
  });

  it("is gone when the run has ended, and stays away", () => {
    const accounts = open();
    expect(existsSync(file)).toBe(true);
    accounts.close(true);
    expect(vi.getTimerCount()).toBe(0);
    accounts.failed("worker", "worker-1", "it was stopped");
    expect(readdirSync(folder)).toEqual([]);
  });
});
