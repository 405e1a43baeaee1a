// What the operator shows of a job, and what it does about pods that nobody else will ever finish.

import { describe, expect, it } from "vitest";
import type { Observed } from "../../k8s/operator/observed.ts";
import { condition, NOW, OPTIONS, objectsOf, reportOf, running, see, waiting, written } from "../support/operator.ts";

describe("a coordinator", () => {
  it("keeps the last known step of a coordinator that does not answer", () => {
    const seen = written(running());
    const silent: Observed = { ...seen, said: { kind: "silent", reason: "no answer for 3 s" } };
    expect(see(silent).status).toMatchObject({ step: 5, steps: 20, loss: 0.5 });
    expect(condition(silent, "CoordinatorReady")).toMatchObject({ status: "False", reason: "Unreachable" });
  });

  it("replaces a coordinator's pod of an older file that will never be ready", () => {
    const observed = running();
    const pod = waiting(observed.pods[0]!, "ImagePullBackOff", "no such image");
    const old = {
      ...pod,
      metadata: { ...pod.metadata, labels: { ...pod.metadata.labels, "controller-revision-hash": "zero" } },
    };
    const stuck: Observed = { ...observed, pods: [old], said: { kind: "unasked" } };
    expect(objectsOf(see(stuck).actions, "delete")).toEqual([old]);
    expect(objectsOf(see({ ...stuck, pods: [pod] }).actions, "delete")).toEqual([]);
  });
});

describe("a node that is gone", () => {
  const stuckAt = (
    node: Observed["nodes"] extends ReadonlyMap<string, infer N> ? N : never,
    conditions = [] as object[],
  ) => {
    const observed = running();
    const pod = observed.pods[1]!;
    const metadata = { ...pod.metadata, deletionTimestamp: new Date(NOW).toISOString() };
    const status = { ...pod.status, conditions: conditions as never };
    return { ...observed, pods: [{ ...pod, metadata, status }], nodes: new Map([["node-a", node]]) } satisfies Observed;
  };
  const later = NOW + 61_000;
  const forced = (observed: Observed, at: number) =>
    see(observed, at).actions.filter((action) => action.kind === "delete" && action.force);

  it("has its stuck pods taken away, with an event, once it has not been ready for long enough", () => {
    const observed = stuckAt({ kind: "not-ready", sinceMs: NOW });
    expect(forced(observed, NOW + 20_000)).toEqual([]);
    expect(see(observed, NOW + 59_000).requeueAfterMs).toBeLessThanOrEqual(1_000);
    expect(forced(observed, later)).toHaveLength(1);
    expect(see(observed, later).events).toContainEqual(
      expect.objectContaining({ type: "Warning", reason: "NodeLost" }),
    );
  });

  it("is one whose object was deleted, too", () => {
    expect(forced(stuckAt({ kind: "absent" }), later)).toHaveLength(1);
  });

  it("does not keep its pods for a grace period that nobody there hears of; one that is well does", () => {
    const dead = stuckAt({ kind: "not-ready", sinceMs: NOW - 60_000 });
    const [pod] = dead.pods;
    const metadata = {
      ...pod!.metadata,
      deletionTimestamp: new Date(NOW + 300_000).toISOString(),
      deletionGracePeriodSeconds: 300,
    };
    const leaving: Observed = { ...dead, pods: [{ ...pod!, metadata }] };
    expect(forced(leaving, NOW + 14_000)).toEqual([]);
    expect(forced(leaving, NOW + 15_000)).toHaveLength(1);
    const well: Observed = { ...leaving, nodes: new Map([["node-a", { kind: "ready" }]]) };
    expect(forced(well, NOW + 15_000)).toEqual([]);
    const evicted: Observed = { ...leaving, nodes: new Map([["node-a", { kind: "unknown" }]]) };
    expect(forced(evicted, NOW + 15_000)).toEqual([]); // it may be well, for all that may be known
    const unasked: Observed = { ...leaving, nodes: new Map() };
    expect(see(unasked, NOW + 1_000).requeueAfterMs).toBe(OPTIONS.pollMs);
    expect(see(unasked, NOW + 14_000).requeueAfterMs).toBe(1_000);
  });

  it("is known by the eviction where nodes may not be read", () => {
    const evicted = { type: "DisruptionTarget", status: "True", reason: "DeletionByTaintManager" };
    expect(forced(stuckAt({ kind: "unknown" }, [evicted]), later)).toHaveLength(1);
    expect(forced(stuckAt({ kind: "unknown" }), later)).toEqual([]);
  });

  it("is not one that is well: a pod may take its time", () => {
    expect(forced(stuckAt({ kind: "ready" }), later + 3_600_000)).toEqual([]);
  });
});

describe("the status", () => {
  it("is written at once when the phase changes, and at most every ten seconds when only numbers do", () => {
    const seen = written(running());
    const step = (n: number, phase = "Training"): Observed => ({
      ...seen,
      said: { kind: "answered", report: reportOf({ step: n, phase: phase as "Training" }) },
    });
    expect(see(step(6), NOW + 3_000).status).toBeNull();
    expect(see(step(6), NOW + 3_000).requeueAfterMs).toBe(OPTIONS.pollMs);
    expect(see(step(6), NOW + 8_000).requeueAfterMs).toBe(2_000);
    expect(see(step(6), NOW + 10_000).status).toMatchObject({ step: 6, columns: { step: "6/20" } });
    expect(see(step(6, "Saving"), NOW + 3_000).status).toMatchObject({ phase: "Saving" });
  });

  it("keeps the time of a condition until its status changes", () => {
    const seen = written(running());
    const later = see({ ...seen, said: { kind: "silent", reason: "gone" } }, NOW + 60_000).status?.conditions ?? [];
    const at = (type: string) => later.find((each) => each.type === type)?.lastTransitionTime;
    expect(at("CoordinatorReady")).toBe("2026-01-01T00:01:00Z");
    expect(at("Complete")).toBe("2026-01-01T00:00:00Z");
  });
});
