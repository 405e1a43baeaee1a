// What the operator decides when a job is over: complete, stopped or failed.

import { describe, expect, it } from "vitest";
import { holds } from "../../k8s/operator/conditions.ts";
import { readJob } from "../../k8s/operator/desired.ts";
import type { Observed } from "../../k8s/operator/observed.ts";
import { readTemplates } from "../../k8s/render/templates.ts";
import {
  COMPLETE,
  condition,
  conditionsOf,
  diffusionJob,
  followed,
  NOW,
  replicasOf,
  running,
  see,
  waiting,
  written,
} from "../support/operator.ts";

type Spec = Readonly<Record<string, unknown>>;

describe("the end", () => {
  it("writes down the digest of the weights before it takes the coordinator away", () => {
    const done = running(diffusionJob(), COMPLETE);
    expect(replicasOf(see(done).actions)).toEqual({ "tiny-worker": 0 });
    expect(see(done).status).toMatchObject({ phase: "Complete", weightsSha256: COMPLETE.weightsSha256 });
    const readBack = written(done);
    expect(replicasOf(see(readBack).actions)).toEqual({ "tiny-coordinator": 0, "tiny-worker": 0 });
  });

  it("is no end while the coordinator may be started again", () => {
    for (const phase of ["Complete", "Stopped", "Failed"] as const) {
      const early = running(diffusionJob(), { ...COMPLETE, phase, over: false });
      expect(replicasOf(see(early).actions)).toEqual({});
      expect(
        conditionsOf(early).filter(({ type, status }) => /Complete|Failed/.test(type) && status === "True"),
      ).toEqual([]);
    }
  });

  it("stays complete, with its digest, when nobody answers any more", () => {
    const done = followed(written(running(diffusionJob(), COMPLETE)));
    const gone: Observed = { ...done, pods: [], said: { kind: "unasked" } };
    const again = { ...gone, job: { ...gone.job, metadata: { ...gone.job.metadata, generation: 2 } } };
    expect(see(again).status).toMatchObject({ phase: "Complete", weightsSha256: COMPLETE.weightsSha256 });
    expect(see(again).actions).toEqual([]);
  });

  it("begins again when more steps are asked for", () => {
    const done = followed(written(running(diffusionJob(), COMPLETE)));
    const more = { ...diffusionJob({ spec: { training: { steps: 40, globalBatch: 8, microBatch: 2 } } }) };
    const job = { ...more, status: done.job.status! };
    const observed: Observed = {
      ...done,
      job,
      reading: readJob(job, readTemplates()),
      pods: [],
      said: { kind: "unasked" },
    };
    expect(replicasOf(see(observed).actions)).toEqual({ "tiny-coordinator": 1, "tiny-worker": 2 });
    expect(holds(see(observed).status?.conditions, "Complete")).toBe(false);
  });

  it("fails with the coordinator's own words when it found a mistake", () => {
    const observed = running();
    const mistake = { terminated: { exitCode: 2, message: "data.source: no such bucket" } };
    const pods = [waiting(observed.pods[0]!, "CrashLoopBackOff", "back-off", mistake)];
    const failed: Observed = { ...observed, pods, said: { kind: "unasked" } };
    expect(condition(failed, "Failed")).toMatchObject({
      status: "True",
      reason: "Mistake",
      message: expect.stringMatching(/^data\.source: no such bucket\nonce that is put right: apply the job again/),
    });
    expect(see(failed).events.map(({ type }) => type)).toContain("Warning");
  });

  it("by a mistake that was put right elsewhere is undone by suspending the job and resuming it", () => {
    const observed = running();
    const mistake = { terminated: { exitCode: 2, message: "the store refuses the credentials" } };
    const pods = [waiting(observed.pods[0]!, "CrashLoopBackOff", "back-off", mistake)];
    const failed = followed(written({ ...observed, pods, said: { kind: "unasked" } }));
    const asked = (spec: Spec, seen: Observed): Observed => {
      const job = { ...diffusionJob({ spec }), status: seen.job.status! };
      return { ...seen, job, reading: readJob(job, readTemplates()) };
    };
    expect(condition(failed, "Failed")).toMatchObject({ status: "True" });
    const resting = written(asked({ suspend: true }, failed));
    expect(condition(resting, "Suspended")).toMatchObject({ status: "True", reason: "NothingToSave" });
    expect(condition(resting, "Failed")).toMatchObject({ status: "False" });
    const gone = followed({ ...resting, pods: [] });
    expect(replicasOf(see(asked({}, gone)).actions)).toEqual({ "tiny-coordinator": 1, "tiny-worker": 2 });
  });

  it("keeps no coordinator that has nothing to keep", () => {
    const observed = running(diffusionJob({ spec: { checkpoint: {} } }));
    const mistake = { terminated: { exitCode: 2, message: "no such data" } };
    const pods = [waiting(observed.pods[0]!, "CrashLoopBackOff", "back-off", mistake)];
    const failed = written({ ...observed, pods, said: { kind: "unasked" } });
    expect(replicasOf(see(failed).actions)).toEqual({ "tiny-coordinator": 0, "tiny-worker": 0 });
  });

  it("deletes the job so long after its end as it says, and its objects go with it", () => {
    const job = diffusionJob({ spec: { kubernetes: { ttlSeconds: 60 } } });
    const done = followed(written(running(job, COMPLETE)));
    expect(see(done, NOW + 59_000).requeueAfterMs).toBe(1_000);
    expect(see(done, NOW + 60_000).actions).toEqual([expect.objectContaining({ kind: "delete", object: done.job })]);
  });
});
