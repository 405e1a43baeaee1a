// Where the wall time of a run went. Invariant: the seconds of the states always sum to the wall time. It holds by
// construction: every stretch of time is booked once, on one state, and wall time is nothing but the sum of the books.

import { GOODPUT_STATES } from "../../shared/bus/events.ts";
import { invariant } from "../../shared/invariant.ts";

export type GoodputState = (typeof GOODPUT_STATES)[number];
export type GoodputSeconds = Readonly<Record<GoodputState, number>>;

export interface Goodput {
  /** Books the time since the last mark on the state that was current, then changes the state. */
  enter(state: GoodputState, nowMs: number): void;
  /** Moves up to `seconds` already booked from one state to another (a step turned out to be slowed by a recovery). */
  move(from: GoodputState, to: GoodputState, seconds: number): void;
  /** Time that passed while no process was there to measure it (a dead coordinator); less than none counts as none. */
  add(state: GoodputState, seconds: number): void;
  /** Changes nothing. `goodput` is productive over wall time, 1 when there was none. */
  view(nowMs: number): { seconds: GoodputSeconds; wallSeconds: number; goodput: number };
}

/** @param before the seconds of the processes before this one. */
export function createGoodput(nowMs: number, state: GoodputState, before?: GoodputSeconds): Goodput {
  const booked = Object.fromEntries(GOODPUT_STATES.map((each) => [each, before?.[each] ?? 0])) as Record<
    GoodputState,
    number
  >;
  let current = state;
  let mark = nowMs;
  /** A clock that went back has to catch up with the mark first: no time is booked twice. */
  const sinceMark = (now: number) => Math.max(0, now - mark) / 1000;

  return {
    enter(next, now) {
      booked[current] += sinceMark(now);
      mark = Math.max(mark, now);
      current = next;
    },
    move(from, to, seconds) {
      invariant(!Number.isNaN(seconds), "the seconds to move are a number");
      const moved = Math.min(booked[from], Math.max(0, seconds));
      booked[from] -= moved;
      booked[to] += moved;
    },
    add(to, seconds) {
      invariant(Number.isFinite(seconds), "the seconds to add are finite");
      booked[to] += Math.max(0, seconds);
    },
    view(now) {
      const seconds = { ...booked, [current]: booked[current] + sinceMark(now) };
      const wallSeconds = GOODPUT_STATES.reduce((sum, each) => sum + seconds[each], 0);
      return { seconds, wallSeconds, goodput: wallSeconds > 0 ? seconds.productive / wallSeconds : 1 };
    },
  };
}
