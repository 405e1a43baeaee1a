import { describe, expect, it } from "vitest";
import { decideAdmission, decideQuorum, decideReadiness } from "../../coordinator/membership/decide.ts";
import { decideLiveness } from "../../coordinator/membership/liveness.ts";
import type { Member, Members, MembershipPolicy } from "../../coordinator/membership/member.ts";
import { createMembership, type MemberChange } from "../../coordinator/membership/members.ts";
import { decideReadmission, READMISSION } from "../../coordinator/membership/readmission.ts";
import { workerId } from "../../shared/ids.ts";

const policy: MembershipPolicy = {
  min: 2,
  max: 3,
  heartbeatMs: 1000,
  deadlineMs: 10_000,
  joinMs: 60_000,
  numerics: "strict",
};

const member = (name: string, change: Partial<Member> = {}): Member => ({
  id: workerId(name),
  instance: `process of ${name}`,
  phase: "ready",
  suspect: null,
  device: "wasm",
  transport: "shm",
  metrics: "",
  numericsClass: "wasm:1",
  joinedMs: 0,
  lastHeardMs: 0,
  speed: 1,
  measuredMs: 0,
  owedMs: null,
  microBatches: 0,
  pulled: null,
  ...change,
});

const members = (...list: Member[]): Members => new Map(list.map((m) => [m.id, m]));
const own = { version: "1", banned: null };
const arrival = (name: string, change: object = {}) => ({
  id: workerId(name),
  instance: `new process of ${name}`,
  version: "1",
  ...change,
});

describe("admission", () => {
  it("admits up to max, and refuses the next so that it may try again", () => {
    const three = members(member("a"), member("b"), member("c"));
    expect(decideAdmission(members(member("a")), arrival("b"), own, policy).kind).toBe("admit");
    expect(decideAdmission(three, arrival("d"), own, policy)).toMatchObject({
      kind: "refuse",
      retry: true,
      reason: expect.stringContaining("workers.max is 3"),
    });
  });

  it("refuses a second worker of the same name while the first one lives, but lets the same process replace itself", () => {
    const one = members(member("a"));
    expect(decideAdmission(one, arrival("a"), own, policy)).toMatchObject({ kind: "refuse", retry: true });
    expect(decideAdmission(one, arrival("a", { instance: "process of a" }), own, policy).kind).toBe("replace");
  });

  it("refuses another version, naming both, and whoever is banned, for good", () => {
    expect(decideAdmission(members(), arrival("a", { version: "2" }), own, policy)).toMatchObject({
      kind: "refuse",
      retry: false,
      reason: "worker a runs plume 2, the coordinator plume 1; install the same version everywhere",
    });
    expect(decideAdmission(members(), arrival("a"), { ...own, banned: "it lies" }, policy)).toEqual({
      kind: "refuse",
      retry: false,
      reason: "it lies",
    });
  });
});

describe("readiness", () => {
  const right = { numericsClass: "wasm:1", specDigest: "S", layoutDigest: "L", dataDigest: "D" };

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

  it.each(["specDigest", "layoutDigest", "dataDigest"] as const)("never admits another %s", (field) => {
    expect(decideReadiness({ ...right, [field]: "other" }, right, policy)).toMatchObject({
      kind: "refuse",
      retry: false,
    });
  });
});

describe("liveness", () => {
  const verdict = (nowMs: number, change: Partial<Member>, pace: number | null = null) =>
    decideLiveness(nowMs, member("a", change), pace, policy);

  it("suspects after three missed heartbeats, and expels after the deadline", () => {
    expect(verdict(3000, {}).verdict).toBe("well");
    expect(verdict(3001, {})).toEqual({ verdict: "suspect", reason: "no heartbeat for 3.0 s" });
    expect(verdict(10_000, {}).verdict).toBe("suspect");
    expect(verdict(10_001, {}).verdict).toBe("expel");
  });

  it("gives six heartbeats before it expels, also where they are so rare that the deadline comes first", () => {
    const seldom = { ...policy, heartbeatMs: 5000 };
    expect(decideLiveness(30_000, member("a"), null, seldom).verdict).toBe("suspect");
    expect(decideLiveness(30_001, member("a"), null, seldom).verdict).toBe("expel");
  });

  it("expels a worker that answers and does not work, by the run's own pace, never before the deadline", () => {
    const busy = { lastHeardMs: 1e9, owedMs: 0, speed: null };
    expect(verdict(10_000, busy).verdict).toBe("well");
    expect(verdict(10_001, busy)).toEqual({ verdict: "expel", reason: "no progress on its leases for 10.0 s" });
    // A micro-batch takes three seconds here: twenty of them may pass.
    expect(verdict(60_000, busy, 3).verdict).toBe("well");
    expect(verdict(60_001, busy, 3).verdict).toBe("expel");
    // Its own speed counts when it is slower than the others.
    expect(verdict(60_001, { ...busy, speed: 0.25 }, 3).verdict).toBe("well");
    expect(verdict(1e8, { ...busy, owedMs: null }, 3).verdict).toBe("well");
  });

  it("expels a worker that joins and never gets ready", () => {
    const joining = { phase: "joining" as const, lastHeardMs: 1e9 };
    expect(verdict(60_000, joining).verdict).toBe("well");
    expect(verdict(60_001, joining)).toEqual({ verdict: "expel", reason: "not ready 60.0 s after it joined" });
  });
});

describe("readmission", () => {
  const at = (nowMs: number, ...failuresMs: number[]) => decideReadmission(nowMs, { failuresMs }, READMISSION);

  it("lets a worker in at once after one failure, and after growing pauses when it flaps", () => {
    expect(at(10, 0).kind).toBe("admit");
    expect(at(100, 0, 100)).toMatchObject({ kind: "wait", ms: 1000 });
    expect(at(1100, 0, 100).kind).toBe("admit");
    expect(at(1100, 0, 100, 1100)).toMatchObject({ kind: "wait", ms: 2000 });
    expect(at(3100, 0, 100, 1100, 3100)).toMatchObject({ kind: "wait", ms: 4000 });
  });

  it("forgets, and never waits longer than the longest pause", () => {
    expect(at(60_100, 0, 100).kind).toBe("admit");
    // The first of three is a minute old: two are left.
    expect(at(60_005, 0, 10, 60_005)).toMatchObject({ kind: "wait", ms: 1000 });
    expect(at(20, ...Array.from({ length: 12 }, (_, i) => i))).toMatchObject({ kind: "wait", ms: 30_000 - 20 + 11 });
  });
});

describe("quorum", () => {
  it("waits below min with the reason, and counts only ready members", () => {
    const all = members(member("a"), member("b", { phase: "joining" }), member("c", { phase: "leaving" }));
    expect(decideQuorum(all, policy)).toEqual({
      kind: "waiting",
      reason: "1 of at least 2 workers are ready, 1 joining",
    });
    expect(decideQuorum(members(member("a"), member("b")), policy)).toMatchObject({
      kind: "ready",
      reason: "2 workers ready",
    });
    const slow = members(member("a"), member("b", { suspect: "no heartbeat for 3.5 s" }));
    expect(decideQuorum(slow, policy).kind).toBe("ready"); // a suspect counts until it is expelled
  });
});

describe("the members", () => {
  const open = () => {
    const changes: MemberChange[] = [];
    let nowMs = 0;
    const digests = { specDigest: "S", layoutDigest: "L", dataDigest: "D" };
    const all = createMembership({
      policy,
      version: "1",
      ...digests,
      now: () => nowMs,
      onChange: (change) => changes.push(change),
    });
    const ready = (name: string, change: object = {}) =>
      all.ready(
        workerId(name),
        { numericsClass: "n", ...digests, ...change },
        { device: "d", transport: "shm", metrics: "" },
      );
    const join = (name: string) => {
      const admission = all.admit(arrival(name));
      if (admission.kind === "admit") ready(name);
      return admission;
    };
    return {
      all,
      changes,
      join,
      ready,
      get: (name: string) => all.members.get(workerId(name))!,
      wait: (ms: number) => {
        nowMs += ms;
      },
    };
  };

  it("are joining until they are ready, which is a sign of life", () => {
    const { all, changes, ready, get, wait } = open();
    all.admit(arrival("a"));
    expect(get("a")).toMatchObject({ phase: "joining", speed: null, owedMs: null, microBatches: 0 });
    expect(changes).toEqual([]);
    wait(3500);
    ready("a");
    expect(get("a")).toMatchObject({ phase: "ready", device: "d", transport: "shm", numericsClass: "n" });
    expect(all.patrol()).toEqual([]);
    expect(changes).toEqual([{ id: "a", change: "joined", reason: "d, shm" }]);
    expect(() => ready("stranger")).toThrow(expect.objectContaining({ code: "STALE" }));
  });

  it("are out when they turn out to be prepared for something else, and whoever listens hears why", () => {
    const { all, changes, join, ready } = open();
    join("a");
    all.admit(arrival("b"));
    expect(ready("b", { numericsClass: "another" })).toMatchObject({ kind: "refuse", retry: false });
    all.admit(arrival("c"));
    expect(ready("c", { dataDigest: "another" })).toMatchObject({ kind: "refuse", retry: false });
    expect([...all.members.keys()]).toEqual(["a"]);
    expect(all.classes).toEqual(["n"]);
    expect(all.admit(arrival("d", { version: "2" })).kind).toBe("refuse");
    expect(changes.slice(1)).toMatchObject([
      { id: "b", change: "refused", reason: expect.stringContaining("another") },
      { id: "c", change: "refused", reason: expect.stringContaining("data set") },
      { id: "d", change: "refused", reason: expect.stringContaining("plume 2") },
    ]);
  });

  it("count what they did, and get nothing new once they are leaving; whoever listens hears how they go", () => {
    const { all, changes, join, get } = open();
    for (const name of ["a", "b"]) join(name);
    all.credited(workerId("a"), 2);
    all.credited(workerId("a"), 3);
    all.pulling(workerId("a"), 0.5);
    expect(get("a")).toMatchObject({ microBatches: 5, pulled: 0.5 });
    expect(all.quorum().kind).toBe("ready");
    all.leaving(workerId("a"));
    expect(all.quorum()).toEqual({ kind: "waiting", reason: "1 of at least 2 workers are ready" });
    all.remove(workerId("a"), "left", "asked to");
    all.remove(workerId("a"), "lost", "its stream ended"); // it is gone already
    expect([...all.members.keys()]).toEqual(["b"]);
    expect(changes.slice(2)).toEqual([{ id: "a", change: "left", reason: "asked to" }]);
  });

  it("may rest on their work for as long as the median of them takes for twenty micro-batches", () => {
    const { all, join, wait } = open();
    for (const name of ["slow", "usual", "stuck"]) join(name);
    all.measured(workerId("slow"), 4);
    all.measured(workerId("usual"), 2);
    all.measured(workerId("stuck"), 0.1);
    all.owes(workerId("stuck"));
    const gone = (ms: number) => {
      wait(ms);
      for (const name of ["slow", "usual", "stuck"]) all.heard(workerId(name));
      all.measured(workerId("slow"), 4);
      all.measured(workerId("usual"), 2);
      return all.patrol();
    };
    expect(gone(40_000)).toEqual([]);
    expect(gone(1)).toEqual([{ id: "stuck", reason: "no progress on its leases for 40.0 s" }]);
  });

  it("become suspect once, and well when they are heard again", () => {
    const { all, changes, join, get, wait } = open();
    join("a");
    wait(3500);
    expect(all.patrol()).toEqual([]);
    all.patrol();
    expect(get("a").suspect).toBe("no heartbeat for 3.5 s");
    all.heard(workerId("a"));
    all.heard(workerId("a"));
    expect(get("a").suspect).toBeNull();
    expect(changes.map(({ change }) => change)).toEqual(["joined", "suspect", "well"]);
    wait(10_001);
    expect(all.patrol()).toEqual([{ id: "a", reason: "no heartbeat for 10.0 s" }]);
  });

  it("average their speed, and forget it when it is not measured for long", () => {
    const { all, join, get, wait } = open();
    join("a");
    all.measured(workerId("a"), 0.5);
    expect(get("a").speed).toBe(2);
    all.measured(workerId("a"), 0.1);
    expect(get("a").speed).toBeCloseTo(2 * 0.8 + 10 * 0.2);
    all.measured(workerId("a"), 0); // a clock that stood still measures nothing
    expect(get("a").speed).toBeCloseTo(2 * 0.8 + 10 * 0.2);
    wait(1000);
    all.measured(workerId("a"), 0.5);
    wait(5000);
    all.patrol();
    expect(get("a").speed).not.toBeNull();
    wait(1);
    all.patrol();
    expect(get("a").speed).toBeNull();
  });

  it("owe work from the first lease without progress on", () => {
    const { all, join, get, wait } = open();
    join("a");
    all.owes(workerId("a"));
    wait(10);
    all.owes(workerId("a"));
    expect(get("a").owedMs).toBe(0);
    all.progressed(workerId("a"), true);
    expect(get("a").owedMs).toBe(10);
    all.progressed(workerId("a"), false);
    expect(get("a").owedMs).toBeNull();
  });

  it("wait when they failed twice before any work, and do not when they had worked or left in order", () => {
    const fail = (name: string, work: number, change: "lost" | "left") => {
      const { all, join } = open();
      for (let i = 0; i < 2; i++) {
        join(name);
        all.credited(workerId(name), work);
        all.remove(workerId(name), change, "gone");
      }
      return join(name);
    };
    expect(fail("flaps", 0, "lost")).toMatchObject({ kind: "refuse", retry: true });
    expect(fail("works", 1, "lost").kind).toBe("admit");
    expect(fail("leaves", 0, "left").kind).toBe("admit");
  });

  it("are forgiven earlier failures as soon as they have worked", () => {
    const { all, join } = open();
    for (const work of [0, 1, 0]) {
      expect(join("a").kind).toBe("admit");
      all.credited(workerId("a"), work);
      all.remove(workerId("a"), "lost", "gone");
    }
    expect(join("a").kind).toBe("admit");
  });

  it("remember every numerics class that took part", () => {
    const { all, join } = open();
    join("a");
    expect(all.classes).toEqual(["n"]);
    all.ban(workerId("b"), "it lies");
    expect(join("b")).toMatchObject({ kind: "refuse", retry: false, reason: "it lies" });
  });
});
