import { describe, expect, it } from "vitest";
import {
  decideAdmission,
  decideExpulsions,
  decideQuorum,
  decideReadiness,
  type Member,
  type Members,
  type MembershipPolicy,
} from "../../coordinator/membership/decide.ts";
import { decideLate, LATE_FLOOR_MS } from "../../coordinator/membership/late.ts";
import { workerId } from "../../shared/ids.ts";

const policy: MembershipPolicy = { min: 2, max: 3, heartbeatMs: 1000, missedHeartbeats: 5, numerics: "strict" };

const member = (name: string, change: Partial<Member> = {}): Member => ({
  id: workerId(name),
  phase: "ready",
  device: "wasm",
  transport: "shm",
  numericsClass: "wasm:1",
  lastHeardMs: 0,
  speed: 1,
  ...change,
});

const members = (...list: Member[]): Members => new Map(list.map((m) => [m.id, m]));

describe("admission", () => {
  it("admits up to max, and refuses the next so that it may try again", () => {
    const three = members(member("a"), member("b"), member("c"));
    expect(decideAdmission(members(member("a")), workerId("b"), policy).kind).toBe("admit");
    expect(decideAdmission(three, workerId("d"), policy)).toMatchObject({
      kind: "refuse",
      retry: true,
      reason: expect.stringContaining("workers.max is 3"),
    });
  });

  it("refuses a second worker of the same name while the first one lives", () => {
    expect(decideAdmission(members(member("a")), workerId("a"), policy)).toMatchObject({ kind: "refuse", retry: true });
  });
});

describe("readiness", () => {
  const right = { numericsClass: "wasm:1", layoutDigest: "L", dataDigest: "D" };

  it("admits the first numerics class, and under strict no other", () => {
    expect(decideReadiness(right, { ...right, numericsClass: null }, policy).kind).toBe("admit");
    const other = { ...right, numericsClass: "cuda:2" };
    expect(decideReadiness(other, right, policy)).toMatchObject({
      kind: "refuse",
      retry: false,
      reason: expect.stringContaining("cuda:2"),
    });
    expect(decideReadiness(other, right, { ...policy, numerics: "mixed" }).kind).toBe("admit");
  });

  it("never admits another layout or other data", () => {
    expect(decideReadiness({ ...right, layoutDigest: "M" }, right, policy)).toMatchObject({
      kind: "refuse",
      retry: false,
    });
    expect(decideReadiness({ ...right, dataDigest: "E" }, right, policy)).toMatchObject({
      kind: "refuse",
      retry: false,
    });
  });
});

describe("liveness", () => {
  it("expels whoever has missed too many heartbeats, and nobody else", () => {
    const all = members(member("a", { lastHeardMs: 0 }), member("b", { lastHeardMs: 4000 }));
    expect(decideExpulsions(5000, all, policy)).toEqual([]);
    expect(decideExpulsions(5001, all, policy)).toEqual([{ id: "a", reason: "no heartbeat for 5.0 s" }]);
  });

  it("expels a worker that holds a lease without progress, and spares one that moves on another lease", () => {
    const lease = (worker: string, lo: number, progressMs: number) => ({
      block: { lo, hi: lo + 1 },
      worker: workerId(worker),
      attempt: 1,
      grantedMs: 0,
      progressMs,
      done: 0,
    });
    const leases = [lease("a", 0, 0), lease("b", 1, 0), lease("b", 2, LATE_FLOOR_MS)];
    const both = members(member("a"), member("b"));
    expect(decideLate(LATE_FLOOR_MS, leases, both)).toEqual([]);
    expect(decideLate(LATE_FLOOR_MS + 1, leases, both).map(({ id }) => id)).toEqual(["a"]);
  });
});

describe("quorum", () => {
  it("waits below min with the reason, and counts only ready members", () => {
    const all = members(member("a"), member("b", { phase: "joining" }), member("c", { phase: "leaving" }));
    expect(decideQuorum(all, policy)).toEqual({
      kind: "waiting",
      reason: "1 of at least 2 workers are ready, 2 joining",
    });
    expect(decideQuorum(members(member("a"), member("b")), policy)).toMatchObject({
      kind: "ready",
      reason: "2 workers ready",
    });
  });
});
