// Every second of a run is booked on one state, whatever happens: the books sum to the wall time.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createGoodput, type GoodputSeconds } from "../../coordinator/accounting/goodput.ts";
import { GOODPUT_STATES } from "../../shared/bus/events.ts";

const none = Object.fromEntries(GOODPUT_STATES.map((state) => [state, 0])) as GoodputSeconds;
const sum = (seconds: GoodputSeconds) => Object.values(seconds).reduce((total, each) => total + each, 0);

describe("goodput", () => {
  it("is 1 before any time has passed", () => {
    expect(createGoodput(5000, "waiting").view(5000)).toEqual({ seconds: none, wallSeconds: 0, goodput: 1 });
  });

  it("books the time since the last mark on the state that was current", () => {
    const goodput = createGoodput(1000, "waiting");
    goodput.enter("productive", 3000);
    goodput.enter("checkpointing", 9000);
    goodput.enter("productive", 10_000);
    expect(goodput.view(11_000)).toEqual({
      seconds: { ...none, waiting: 2, productive: 7, checkpointing: 1 },
      wallSeconds: 10,
      goodput: 0.7,
    });
  });

  it("goes on from the seconds of the process before, which it leaves as they are", () => {
    const before = Object.freeze({ ...none, productive: 8, redone: 1 });
    const goodput = createGoodput(0, "productive", before);
    goodput.add("recovering", 3);
    goodput.enter("paused", 2000);
    expect(goodput.view(4000).seconds).toEqual({ ...none, productive: 10, redone: 1, recovering: 3, paused: 2 });
    expect(before).toEqual({ ...none, productive: 8, redone: 1 });
  });

  it("moves what is booked and no more", () => {
    const goodput = createGoodput(0, "productive");
    goodput.enter("productive", 5000);
    goodput.move("productive", "recovering", 2);
    goodput.move("waiting", "recovering", 1);
    expect(goodput.view(5000).seconds).toEqual({ ...none, productive: 3, recovering: 2 });
    goodput.move("productive", "redone", Number.POSITIVE_INFINITY);
    goodput.move("recovering", "waiting", -1);
    // The second since the mark is not booked yet, so it cannot be moved.
    goodput.move("productive", "redone", 1);
    expect(goodput.view(6000).seconds).toEqual({ ...none, productive: 1, redone: 3, recovering: 2 });
  });

  it("books nothing twice when the clock goes back", () => {
    const goodput = createGoodput(0, "waiting");
    goodput.enter("productive", 4000);
    goodput.enter("paused", 3000);
    expect(goodput.view(3500).wallSeconds).toBe(4);
    expect(goodput.view(5000).seconds).toEqual({ ...none, waiting: 4, paused: 1 });
  });

  it("refuses seconds that are no number", () => {
    const goodput = createGoodput(0, "waiting");
    expect(() => goodput.add("paused", Number.NaN)).toThrow("invariant broken");
    expect(() => goodput.add("paused", Number.POSITIVE_INFINITY)).toThrow("invariant broken");
    expect(() => goodput.move("waiting", "paused", Number.NaN)).toThrow("invariant broken");
  });

  it("sums to the time elapsed and added, for any sequence of events", () => {
    const state = fc.constantFrom(...GOODPUT_STATES);
    const span = fc.double({ min: 0, max: 1e6, noNaN: true });
    const action = fc.oneof(
      fc.record({ kind: fc.constant("enter" as const), state, ms: span }),
      fc.record({ kind: fc.constant("move" as const), from: state, to: state, seconds: fc.double({ noNaN: true }) }),
      fc.record({ kind: fc.constant("add" as const), state, seconds: span }),
    );
    const close = (actual: number, expected: number, scale = expected) =>
      expect(Math.abs(actual - expected)).toBeLessThanOrEqual(1e-9 * Math.max(1, scale));
    fc.assert(
      fc.property(span, state, fc.array(action, { maxLength: 60 }), span, (start, first, actions, rest) => {
        const goodput = createGoodput(start, first);
        let now = start;
        let added = 0;
        for (const each of actions) {
          const before = goodput.view(now).seconds;
          if (each.kind === "enter") {
            now += each.ms;
            goodput.enter(each.state, now);
          } else if (each.kind === "add") {
            added += each.seconds;
            goodput.add(each.state, each.seconds);
          } else {
            goodput.move(each.from, each.to, each.seconds);
            const after = goodput.view(now).seconds;
            const expected = each.from === each.to ? 0 : Math.min(before[each.from], Math.max(0, each.seconds));
            close(before[each.from] - after[each.from], expected, sum(before));
            close(after[each.to] - before[each.to], expected, sum(before));
          }
          const { seconds, wallSeconds } = goodput.view(now);
          expect(Object.values(seconds).every((value) => value >= 0)).toBe(true);
          close(sum(seconds), (now - start) / 1000 + added);
          close(wallSeconds, sum(seconds));
        }
        const seen = goodput.view(now);
        const later = goodput.view(now + rest);
        expect(goodput.view(now)).toEqual(seen);
        expect(later.goodput).toBeGreaterThanOrEqual(0);
        expect(later.goodput).toBeLessThanOrEqual(1 + 1e-9);
        close(later.wallSeconds, (now + rest - start) / 1000 + added);
      }),
      { numRuns: 300 },
    );
  });
});
