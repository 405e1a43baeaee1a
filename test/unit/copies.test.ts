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

  it("of what is late against the others go to an idle worker, one each", () => {
    const works = [work(lease("late", 0, 1)), work(lease("late", 1, 2))];
    const workers = [worker("late"), worker("slow", { speed: 0.9 }), worker("fast", { speed: 1.1 })];
    expect(decideCopies(2000, works, workers)).toEqual([]);
    const copies = decideCopies(2200, works, workers);
    expect(copies.map((copy) => [copy.worker, copy.block.lo])).toEqual([
      ["fast", 0],
      ["slow", 1],
    ]);
    expect(copies[0]!.reason).toBe("no progress of late for 2.2 s, a micro-batch takes 1.00 s");
    expect(decideCopies(2200, works, [worker("late"), worker("b", { ready: false })])).toEqual([]);
  });

  it("of a slow worker's queue are made when an idle one is done in less than half the time", () => {
    const slow = worker("slow", { speed: 0.5 });
    const queue = [work(lease("slow", 0, 1)), work(lease("slow", 1, 2))]; // four seconds
    expect(decideCopies(0, queue, [slow, worker("idle", { speed: 0.4 })])).toEqual([]);
    expect(decideCopies(0, queue, [slow, worker("idle", { speed: 1 })]).map(({ worker }) => worker)).toEqual(["idle"]);
  });

  it("are not worth a tenth of a second", () => {
    const slow = worker("slow", { speed: 20 });
    expect(decideCopies(0, [work(lease("slow", 0, 1))], [slow, worker("idle", { speed: 1000 })])).toEqual([]);
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
