import { describe, expect, it } from "vitest";
import type { Lease, Result, Work } from "../../coordinator/aggregation/round.ts";
import { type CopyWorker, decideCopies } from "../../coordinator/planner/copies.ts";
import { workerId } from "../../shared/ids.ts";

const worker = (id: string, change: Partial<CopyWorker> = {}): CopyWorker => ({
  id: workerId(id),
  speed: 1,
  suspect: null,
  ready: true,
  ...change,
});

const lease = (id: string, lo: number, hi: number, progressMs = 0): Lease => ({
  kind: "gradient",
  step: 0,
  block: { lo, hi },
  worker: workerId(id),
  attempt: lo + 1,
  purpose: "first",
  grantedMs: 0,
  progressMs,
  done: 0,
});

const work = (...leases: Lease[]): Work => ({
  block: leases[0]!.block,
  audited: false,
  leases,
  held: [],
  accepted: null,
});

const held = (id: string, digest = "x"): Result => ({
  block: { lo: 0, hi: 1 },
  worker: workerId(id),
  attempt: 1,
  digest,
  losses: [],
  ids: [],
  seconds: {},
});

describe("copies", () => {
  it("are not made while everybody goes on as usual, nor while nothing is known", () => {
    const works = [work(lease("a", 0, 1)), work(lease("b", 1, 2))];
    expect(decideCopies(500, works, [worker("a"), worker("b"), worker("idle")])).toEqual([]);
    const unknown = [worker("a", { speed: null }), worker("idle", { speed: null })];
    expect(decideCopies(1e6, [work(lease("a", 0, 1))], unknown)).toEqual([]);
  });

  it("of what a suspect holds go at once to whoever has least to do, idle or not", () => {
    const works = [work(lease("gone", 0, 2)), work(lease("busy", 2, 4)), work(lease("b", 4, 5))];
    const workers = [worker("gone", { suspect: "no heartbeat for 2 s" }), worker("busy"), worker("b")];
    expect(decideCopies(0, works, workers)).toEqual([
      {
        worker: "b",
        block: { lo: 0, hi: 2 },
        purpose: "speculation",
        reason: "gone is suspect: no heartbeat for 2 s",
      },
    ]);
  });

  it("go to neither another suspect nor one that is leaving, also when no speed is known yet", () => {
    const works = [work(lease("gone", 0, 2))];
    const gone = worker("gone", { suspect: "silent", speed: null });
    const none = [
      gone,
      worker("a", { suspect: "silent too", speed: null }),
      worker("b", { ready: false, speed: null }),
    ];
    expect(decideCopies(0, works, none)).toEqual([]);
    const copies = decideCopies(0, works, [...none, worker("c", { speed: null })]);
    expect(copies.map(({ worker }) => worker)).toEqual(["c"]);
  });

  it("of a suspect's blocks are spread over those who can", () => {
    const works = [0, 1, 2].map((i) => work(lease("gone", 2 * i, 2 * i + 2)));
    const copies = decideCopies(0, works, [worker("gone", { suspect: "silent" }), worker("c"), worker("b")]);
    expect(copies.map(({ worker, block }) => [worker, block.lo])).toEqual([
      ["b", 0],
      ["c", 2],
      ["b", 4],
    ]);
  });

  it("of what is late against the others go to an idle worker, one each", () => {
    const works = [work(lease("late", 0, 1)), work(lease("late", 1, 2))];
    const workers = [worker("late"), worker("a slow one", { speed: 0.9 }), worker("fast", { speed: 1.1 })];
    expect(decideCopies(2000, works, workers)).toEqual([]);
    const copies = decideCopies(2200, works, workers);
    expect(copies.map((copy) => [copy.worker, copy.block.lo])).toEqual([
      ["fast", 0],
      ["a slow one", 1],
    ]);
    expect(copies[0]!.reason).toBe("no progress of late for 2.2 s, a micro-batch takes 1.00 s");
    expect(decideCopies(2200, works, [worker("late"), worker("b", { ready: false })])).toEqual([]);
  });

  it("wait for a sign of progress on any of a worker's leases, and for its own pace when it is the slower one", () => {
    const leases = [lease("a", 0, 1, 1900), lease("a", 1, 2, 0)];
    for (const order of [leases, leases.toReversed()])
      expect(
        decideCopies(
          2100,
          order.map((each) => work(each)),
          [worker("a"), worker("idle")],
        ),
      ).toEqual([]);
    const slow = [worker("a", { speed: 0.5 }), worker("b"), worker("idle")];
    expect(decideCopies(4000, [work(lease("a", 0, 1))], slow)).toEqual([]);
    expect(decideCopies(4001, [work(lease("a", 0, 1))], slow)).toHaveLength(1);
    const fast = [worker("a", { speed: 10 }), worker("b"), worker("idle")];
    expect(decideCopies(1900, [work(lease("a", 0, 1))], fast)).toEqual([]);
  });

  it("are not made for a pause that any scheduler makes, however short the micro-batches are", () => {
    const workers = [worker("a", { speed: 100 }), worker("idle", { speed: 100 })];
    expect(decideCopies(150, [work(lease("a", 0, 1))], workers)).toEqual([]);
    expect(decideCopies(151, [work(lease("a", 0, 1))], workers)).toHaveLength(1);
  });

  it("of a newcomer's queue are judged by the speed of the others", () => {
    const queue = [work(lease("new", 0, 4)), work(lease("new", 4, 5))];
    const copies = decideCopies(0, queue, [worker("new", { speed: null }), worker("idle")]);
    expect(copies).toMatchObject([{ worker: "idle", block: { lo: 4, hi: 5 } }]);
    expect(copies[0]!.reason).toBe("new needs 5.00 s more, idle would need 1.00 s");
  });

  it("leave out of account what is done of a block", () => {
    const nearlyDone = { ...lease("slow", 0, 4), done: 3 }; // two seconds more
    const workers = [worker("slow", { speed: 0.5 }), worker("idle", { speed: 2 })];
    expect(decideCopies(0, [work(nearlyDone)], workers)).toEqual([]);
    expect(decideCopies(0, [work({ ...nearlyDone, done: 0 })], workers)).toHaveLength(1);
  });

  it("of a slow worker's queue are made when an idle one is done in less than half the time", () => {
    const slow = worker("slow", { speed: 0.5 });
    const queue = [work(lease("slow", 0, 1)), work(lease("slow", 1, 2))]; // four seconds
    expect(decideCopies(0, queue, [slow, worker("idle", { speed: 0.4 })])).toEqual([]);
    expect(decideCopies(0, queue, [slow, worker("idle", { speed: 0.6 })])).toHaveLength(1);
    expect(decideCopies(0, queue, [slow, worker("idle", { speed: 1 })]).map(({ worker }) => worker)).toEqual(["idle"]);
  });

  it("are not worth a tenth of a second", () => {
    const slow = worker("slow", { speed: 20 });
    expect(decideCopies(0, [work(lease("slow", 0, 1))], [slow, worker("idle", { speed: 1000 })])).toEqual([]);
    const slower = worker("slow", { speed: 2 });
    expect(decideCopies(0, [work(lease("slow", 0, 1))], [slower, worker("idle", { speed: 5 })])).toHaveLength(1);
  });

  it("compare what is held with another worker, the least loaded, never with one that gave it", () => {
    const audited: Work = { block: { lo: 0, hi: 1 }, audited: true, leases: [], held: [held("a")], accepted: null };
    const workers = [worker("a"), worker("b"), worker("c")];
    const busy = work(lease("b", 1, 3));
    expect(decideCopies(0, [audited, busy], workers)).toMatchObject([{ worker: "c", purpose: "audit" }]);
    const split = { ...audited, held: [held("a", "x"), held("c", "y")] };
    expect(decideCopies(0, [split, busy], workers)).toMatchObject([
      { worker: "b", purpose: "settle", reason: "a and c gave different bits: a third opinion" },
    ]);
    expect(decideCopies(0, [split], [worker("a"), worker("c")])).toEqual([]);
    expect(decideCopies(0, [{ ...audited, leases: [lease("b", 0, 1)] }], workers)).toEqual([]);
  });

  it("are never more than one beside the first", () => {
    const twice = work(lease("late", 0, 1), lease("b", 0, 1));
    expect(decideCopies(1e6, [twice], [worker("late"), worker("b"), worker("idle")])).toEqual([]);
  });
});
