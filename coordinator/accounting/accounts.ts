// The run's accounts: where its wall time went, which failures it survived, what it was asked to do, and what may have
// changed its bits. They outlive the process: every second they are written down, and the next incarnation goes on from
// there, booking the time in between on "recovering".

import type { Phase, Recovery, Saves } from "../../shared/bus/events.ts";
import { medianOf } from "../../shared/median.ts";
import { createGoodput, type GoodputSeconds, type GoodputState } from "./goodput.ts";
import { readJournal, removeJournal, writeJournal } from "./journal.ts";
import { createRecoveries } from "./recoveries.ts";

export interface Accounts {
  /** @returns the phase as it is shown: a run that catches up after a crash is Recovering until it is where it was. */
  enter(phase: Phase, reason: string): { readonly phase: Phase; readonly reason: string };
  failed(kind: Recovery["kind"], subject: string, reason: string): void;
  /** A step took so many seconds. @returns the recoveries that end with it. */
  committed(step: number, seconds: number): readonly Recovery[];
  /** Seconds of a step that has to begin again. */
  redone(seconds: number): void;
  /** A checkpoint was written, failed or tried again, or training waited for one. */
  saved(change: Partial<Saves>): void;
  /** @returns false when it is known already. */
  blemish(reason: string): boolean;
  setDesired(replicas: number): void;
  setPaused(reason: string | null): void;
  readonly firstStep: number;
  readonly desired: number;
  readonly paused: string | null;
  readonly recoveries: readonly Recovery[];
  readonly blemishes: readonly string[];
  readonly saves: Saves;
  view(): { secondsByState: Readonly<Record<string, number>>; wallSeconds: number; goodput: number };
  /** Seconds by state as counters have them: of the newest journal, from which the next incarnation goes on, and never less. */
  readonly counted: Readonly<Record<string, number>>;
  /** `over`: the run has ended, and nothing is left to go on from. */
  close(over: boolean): void;
}

export interface AccountsOptions {
  readonly file: string;
  /** Go on from what a dead coordinator wrote down. */
  readonly recovering: boolean;
  readonly firstStep: number;
  /** Steps below this one were committed before the crash. */
  readonly replayUntil: number;
  /** Steps of the whole job. */
  readonly steps: number;
  readonly desired: number;
  /** Why it is paused, without a journal that says it. */
  readonly paused?: string | null;
  readonly now: () => number;
  readonly epochMs: () => number;
}

const WRITE_MS = 1_000;
/** Steps whose median tells how long one takes without a failure. */
const WINDOW = 21;
/** A step that takes so many times the usual was held up, by a failure that nobody need have noticed: a machine asleep. */
const HELD_UP = 4;

const STATE_OF = {
  Starting: "waiting",
  Waiting: "waiting",
  Recovering: "recovering",
  Training: "productive",
  Paused: "paused",
  Sampling: "sampling",
  Saving: "checkpointing",
  Complete: "checkpointing",
  Stopped: "checkpointing",
  Failed: "checkpointing",
} as const satisfies Record<Phase, GoodputState>;

export function createAccounts(options: AccountsOptions): Accounts {
  const { file, recovering, replayUntil, steps, now, epochMs } = options;
  const before = recovering ? readJournal(file) : null;
  let state: GoodputState = recovering ? "recovering" : "waiting";
  const goodput = createGoodput(now(), state, before?.seconds);
  const recoveries = createRecoveries(before?.recoveries, before?.open);
  const blemishes = [...(before?.blemishes ?? [])];
  const firstStep = before?.firstStep ?? options.firstStep;
  let desired = before?.desired ?? options.desired;
  let paused = before ? before.paused : (options.paused ?? null);
  let next = options.firstStep;
  const usual: number[] = [];
  let closed = false;
  let saves: Saves = before?.saves ?? NO_SAVES;
  let counted = before?.counted ?? before?.seconds ?? goodput.view(now()).seconds;

  const book = (next: GoodputState) => {
    state = next;
    goodput.enter(next, now());
  };

  if (before) goodput.add("recovering", Math.max(0, (epochMs() - before.markedAtMs) / 1000));
  if (recovering)
    recoveries.begin("coordinator", "coordinator", "it was started again", before?.markedAtMs ?? epochMs());

  const write = () => {
    if (closed) return;
    const { seconds } = goodput.view(now());
    const most = mostOf(counted, seconds);
    const entry = {
      markedAtMs: epochMs(),
      firstStep,
      seconds,
      counted: most,
      recoveries: [...recoveries.all],
      open: [...recoveries.open],
      desired,
      paused,
      blemishes,
      saves,
    };
    try {
      writeJournal(file, entry);
      counted = most;
    } catch {
      // A full disk costs the accounts of a crash that may never come; it must not cost the run.
    }
  };
  const timer = setInterval(write, WRITE_MS);
  timer.unref();
  write();

  return {
    firstStep,
    get recoveries() {
      return recoveries.all;
    },
    blemishes,
    get saves() {
      return saves;
    },
    get counted() {
      return counted;
    },
    get desired() {
      return desired;
    },
    get paused() {
      return paused;
    },

    enter(phase, reason) {
      const catchingUp = next < replayUntil || (recovering && recoveries.open.length > 0 && phase === "Waiting");
      if (!catchingUp || (phase !== "Training" && phase !== "Waiting")) {
        book(STATE_OF[phase]);
        return { phase, reason };
      }
      book(phase === "Training" ? "redone" : "recovering");
      const behind = `steps ${next} to ${replayUntil - 1} are computed again`;
      return { phase: "Recovering", reason: phase === "Training" ? behind : reason };
    },

    failed(kind, subject, reason) {
      recoveries.begin(kind, subject, reason, epochMs());
      write();
    },

    committed(step, seconds) {
      next = step + 1;
      const typical = medianOf(usual) ?? 0; // nothing is known: then all of it counts as recovery
      usual.push(seconds);
      if (usual.length > WINDOW) usual.shift();
      if (next <= replayUntil && next < steps) return []; // not further than before the crash
      book(state);
      const heldUp = typical > 0 && seconds > HELD_UP * typical;
      if (heldUp || recoveries.open.length > 0)
        goodput.move("productive", "recovering", Math.max(0, seconds - typical));
      const closed = recoveries.committed(step, epochMs());
      if (closed.length > 0) write();
      return closed;
    },

    redone(seconds) {
      book(state);
      goodput.move("productive", "redone", seconds);
    },

    saved(change) {
      saves = addSaves(saves, change);
      if (state === "productive") goodput.move("productive", "checkpointing", change.stallSeconds ?? 0);
    },

    blemish(reason) {
      if (blemishes.includes(reason)) return false;
      blemishes.push(reason);
      return true;
    },

    setDesired(replicas) {
      desired = replicas;
      write();
    },

    setPaused(reason) {
      paused = reason;
      write();
    },

    view() {
      const { seconds, wallSeconds, goodput: share } = goodput.view(now());
      return { secondsByState: seconds, wallSeconds, goodput: share };
    },

    close(over) {
      if (!over) write();
      closed = true;
      clearInterval(timer);
      if (over) removeJournal(file);
    },
  };
}

const NO_SAVES: Saves = { written: 0, failed: 0, retried: 0, stallSeconds: 0, passedOver: 0 };

function addSaves(saves: Saves, change: Partial<Saves>): Saves {
  const keys = Object.keys(saves) as (keyof Saves)[];
  return Object.fromEntries(keys.map((key) => [key, saves[key] + (change[key] ?? 0)])) as unknown as Saves;
}

const mostOf = (a: GoodputSeconds, b: GoodputSeconds): GoodputSeconds => {
  const larger = (Object.keys(a) as GoodputState[]).map((state) => [state, Math.max(a[state], b[state])]);
  return Object.fromEntries(larger) as GoodputSeconds;
};
