// The operator's workqueue and its election, over clocks that the test moves.

import { describe, expect, it } from "vitest";
import { decideLease, isLost, type LeaseRecord, sighted } from "../../k8s/operator/election.ts";
import { createQueue, type QueueClock } from "../../k8s/operator/queue.ts";

interface TestClock extends QueueClock {
  /** Lets so much time pass, and everything that is due happen. */
  pass(ms: number): Promise<void>;
}

function testClock(): TestClock {
  let nowMs = 0;
  const timers = new Map<object, { readonly atMs: number; readonly act: () => void }>();
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return {
    now: () => nowMs,
    after(ms, act) {
      const id = {};
      timers.set(id, { atMs: nowMs + ms, act });
      return () => timers.delete(id);
    },
    async pass(ms) {
      const end = nowMs + ms;
      await settle();
      for (;;) {
        const [next] = [...timers].filter(([, { atMs }]) => atMs <= end).sort(([, a], [, b]) => a.atMs - b.atMs);
        if (!next) break;
        const [id, { atMs, act }] = next;
        timers.delete(id);
        nowMs = atMs;
        act();
        await settle();
      }
      nowMs = end;
    },
  };
}

/** Passes that the test ends. */
function workshop(workers = 2) {
  const clock = testClock();
  const begun: string[] = [];
  const open = new Map<string, { resolve(again: number | null): void; reject(error: Error): void }>();
  const backOffs: number[] = [];
  const queue = createQueue({
    clock,
    workers,
    work(key) {
      begun.push(key);
      return new Promise((resolve, reject) => open.set(key, { resolve, reject }));
    },
    onError: (_, __, againMs) => backOffs.push(againMs),
  });
  const end = async (key: string, again: number | null = null) => {
    open.get(key)!.resolve(again);
    await clock.pass(0);
  };
  const fail = async (key: string) => {
    open.get(key)!.reject(new Error("failed"));
    await clock.pass(0);
  };
  return { clock, queue, begun, backOffs, end, fail };
}

describe("the queue", () => {
  it("gives a key to one worker at a time, and once more when it was added meanwhile", async () => {
    const { queue, begun, end } = workshop();
    queue.add("a");
    for (let i = 0; i < 5; i++) queue.add("a");
    expect(begun).toEqual(["a"]);
    await end("a");
    expect(begun).toEqual(["a", "a"]);
    await end("a");
    expect(begun).toHaveLength(2);
    expect(queue.depth).toBe(0);
  });

  it("works on as many keys as it has workers, and on the others in their order", async () => {
    const { queue, begun, end } = workshop(2);
    for (const key of ["a", "b", "c", "d"]) queue.add(key);
    expect(begun).toEqual(["a", "b"]);
    expect(queue.depth).toBe(4);
    await end("b");
    expect(begun).toEqual(["a", "b", "c"]);
  });

  it("takes the shortest of several delays, and none where something happens before", async () => {
    const { queue, begun, clock, end } = workshop();
    queue.addAfter("a", 1_000);
    queue.addAfter("a", 100);
    queue.addAfter("a", 500);
    await clock.pass(99);
    expect(begun).toEqual([]);
    await clock.pass(1);
    expect(begun).toEqual(["a"]);
    await end("a");
    await clock.pass(10_000);
    expect(begun).toEqual(["a"]);
    queue.addAfter("a", 1_000);
    queue.add("a");
    await end("a");
    await clock.pass(10_000);
    expect(begun).toEqual(["a", "a"]);
  });

  it("comes back when a pass asked for it", async () => {
    const { queue, begun, clock, end } = workshop();
    queue.add("a");
    await end("a", 5_000);
    await clock.pass(4_999);
    expect(begun).toHaveLength(1);
    await clock.pass(1);
    expect(begun).toHaveLength(2);
  });

  it("waits twice as long after each failure up to a minute, and starts over after a success", async () => {
    const { queue, clock, backOffs, fail, end } = workshop();
    queue.add("a");
    for (let i = 0; i < 10; i++) {
      await fail("a");
      await clock.pass(backOffs.at(-1)!);
    }
    expect(backOffs).toEqual([200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 60_000]);
    await end("a");
    queue.add("a");
    await fail("a");
    expect(backOffs.at(-1)).toBe(200);
  });

  it("closes once nothing is in anybody's hands, and takes nothing new", async () => {
    const { queue, begun, clock, end } = workshop();
    queue.add("a");
    queue.addAfter("b", 10);
    let closed = false;
    const closing = queue.close().then(() => {
      closed = true;
    });
    await clock.pass(100);
    expect(closed).toBe(false);
    queue.add("c");
    await end("a");
    await closing;
    expect(begun).toEqual(["a"]);
  });
});

describe("the election", () => {
  const options = { me: "me", leaseMs: 15_000, renewMs: 10_000 };
  const held = (holder: string, renewTime = "1"): LeaseRecord => ({ holder, renewTime, seconds: 15, transitions: 3 });

  it("takes a lease that nobody has, or that was given back", () => {
    expect(decideLease(0, sighted(0, null, null), options)).toMatchObject({ kind: "take", transitions: 0 });
    expect(decideLease(0, sighted(0, null, held("")), options)).toMatchObject({ kind: "take", transitions: 4 });
  });

  it("waits for another one for as long as it renews, whatever its clock says", () => {
    let sighting = sighted(0, null, held("other", "1970-01-01"));
    for (let at = 0; at <= 60_000; at += 10_000) {
      sighting = sighted(at, sighting, held("other", `renewed at ${at}`));
      expect(decideLease(at, sighting, options).kind).toBe("wait");
    }
  });

  it("takes over from one that has not renewed for longer than the lease, counted from when it was first seen", () => {
    const first = sighted(1_000, null, held("other"));
    const later = sighted(16_000, first, held("other"));
    expect(decideLease(16_000, later, options).kind).toBe("wait");
    expect(decideLease(16_001, later, options)).toMatchObject({
      kind: "take",
      transitions: 4,
      reason: "other has not renewed it for 15 s",
    });
  });

  it("renews its own, and steps down before another one may take over", () => {
    expect(decideLease(0, sighted(0, null, held("me")), options)).toMatchObject({ kind: "renew", transitions: 3 });
    expect(isLost(10_000, 0, options)).toBe(false);
    expect(isLost(10_001, 0, options)).toBe(true);
    expect(options.renewMs).toBeLessThan(options.leaseMs);
  });
});
