// What the operator does about a pipeline: which jobs it makes, when, and what it tells.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { diffusionPipelineDefinition } from "../../k8s/crd/pipeline-definition.ts";
import type { DiffusionJob } from "../../k8s/operator/job.ts";
import type { KubernetesObject } from "../../k8s/operator/objects.ts";
import { type DiffusionPipeline, decide, jobNames, STAGE_HASH } from "../../k8s/operator/pipelines/decide.ts";
import { NOW } from "../support/operator.ts";

const SPEC = {
  data: { source: "shapes:64", imageSize: 8, patch: 2 },
  model: { channels: 8, channelMult: [1, 2], groups: 4, classes: 10 },
  training: { steps: 4 },
};
const TEACHER = {
  ...SPEC,
  diffusion: { process: "edm", predict: "edm" },
  sampling: { sampler: "heun" },
  checkpoint: { store: "s3://bucket/edm" },
};
const STUDENT = {
  ...SPEC,
  diffusion: { process: "edm", predict: "consistency", objective: "consistency" },
  sampling: { sampler: "consistency" },
};

interface Wishes {
  readonly teacher?: object;
  readonly student?: object;
  readonly status?: DiffusionPipeline["status"];
}

const pipelineOf = ({ teacher = TEACHER, student = STUDENT, status }: Wishes = {}): DiffusionPipeline => ({
  apiVersion: "plume.dev/v1alpha1",
  kind: "DiffusionPipeline",
  metadata: { name: "p", namespace: "ns", uid: "uid-of-p", generation: 1 },
  spec: {
    stages: [
      { name: "student", models: { teacher: { stage: "edm" } }, spec: student },
      { name: "edm", spec: teacher },
    ] as DiffusionPipeline["spec"]["stages"],
  },
  ...(status && { status }),
});

const EMA = "e".repeat(64);
const condition = (type: string) => ({
  ...{ type, status: "True" as const, reason: "Any", message: "its words" },
  lastTransitionTime: new Date(NOW).toISOString(),
});
const COMPLETE = { step: 4, weightsSha256: "a".repeat(64), emaSha256: EMA, conditions: [condition("Complete")] };

/** As the operator applied it. */
const there = (object: KubernetesObject, status: DiffusionJob["status"] = {}): DiffusionJob =>
  ({ ...object, status }) as unknown as DiffusionJob;

const see = (pipeline: DiffusionPipeline, ...jobs: DiffusionJob[]) =>
  decide(NOW, { pipeline, jobs: new Map(jobs.map((job) => [job.metadata.name, job])), refused: null });

/** The first stage's job as it is made, and the second's once the first is done. */
const edm = there(see(pipelineOf()).applies[0]!);
const done = there(edm, COMPLETE);
const student = there(see(pipelineOf(), done).applies[0]!);
const conditionIn = (pipeline: DiffusionPipeline, type: string, ...jobs: DiffusionJob[]) =>
  see(pipeline, ...jobs).status?.conditions?.find((each) => each.type === type);

describe("a pipeline of a cluster", () => {
  it("has its definition in a file", () => {
    expect(parse(readFileSync("k8s/crd/diffusionpipelines.plume.dev.yaml", "utf8"))).toEqual(
      JSON.parse(JSON.stringify(diffusionPipelineDefinition())),
    );
  });

  it("begins with the job of the stage that waits for nobody, as it was written, and owns it", () => {
    const { applies, status, events } = see(pipelineOf());
    expect(applies).toMatchObject([
      { kind: "DiffusionJob", metadata: { name: "p-edm", namespace: "ns", ownerReferences: [{ uid: "uid-of-p" }] } },
    ]);
    expect((applies[0] as unknown as DiffusionJob).spec).toEqual(TEACHER);
    expect(status).toMatchObject({ phase: "Pending", done: 0, total: 2, progress: "0/2" });
    expect(events).toEqual([{ type: "Normal", reason: "StageBegun", message: "job p-edm" }]);
    expect(jobNames(pipelineOf())).toEqual(["p-student", "p-edm"]);
  });

  it("leaves a job alone that trains, and tells which stage that is", () => {
    const { applies, status } = see(pipelineOf(), edm);
    expect(applies).toEqual([]);
    expect(status).toMatchObject({ phase: "Training", stage: "edm", progress: "0/2" });
  });

  it("gives the next stage the upstream's store and the sha256 of its average", () => {
    const { applies, status } = see(pipelineOf(), done);
    expect(applies).toMatchObject([
      {
        metadata: { name: "p-student" },
        spec: { ...STUDENT, models: { teacher: { from: "s3://bucket/edm", weights: "ema", sha256: EMA } } },
      },
    ]);
    expect(status).toMatchObject({
      progress: "1/2",
      stages: [
        { name: "edm", job: "p-edm", state: "Done", emaSha256: EMA },
        { name: "student", state: "Ready" },
      ],
    });
  });

  it("is complete once its last stage is, says so once, and then costs nothing", () => {
    const jobs = [done, there(student, COMPLETE)];
    const { applies, status, events } = see(pipelineOf(), ...jobs);
    expect(applies).toEqual([]);
    expect(status).toMatchObject({ phase: "Complete", progress: "2/2" });
    expect(events).toMatchObject([{ type: "Normal", reason: "Complete" }]);
    expect(see(pipelineOf({ status: status! }), ...jobs)).toEqual({ applies: [], status: null, events: [] });
  });

  it("applies a job again when the stage's own part has changed, and no other", () => {
    const more = { ...TEACHER, training: { steps: 6 } };
    const { applies } = see(pipelineOf({ teacher: more }), done, student);
    expect(applies.map(({ metadata }) => metadata.name)).toEqual(["p-edm"]);
    expect(applies[0]!.metadata.annotations?.[STAGE_HASH]).not.toBe(edm.metadata.annotations?.[STAGE_HASH]);
  });

  it("names a stage that is stale, touches nothing, and says what to do", () => {
    const other = there(edm, { ...COMPLETE, emaSha256: "f".repeat(64) });
    expect(see(pipelineOf(), other, student)).toMatchObject({ applies: [], status: { phase: "Stale" } });
    expect(conditionIn(pipelineOf(), "Stale", other, student)?.message).toMatch(
      /stage student: the weights of stage edm .* are ffff.*another checkpoint\.store and delete dj\/p-student/,
    );
  });

  it("tells of a stage that failed, in its job's own words", () => {
    const failed = there(edm, { conditions: [condition("Failed")] });
    expect(see(pipelineOf(), failed).status).toMatchObject({ phase: "Failed" });
    expect(conditionIn(pipelineOf(), "Failed", failed)?.message).toBe("stage edm: its words");
  });

  it("takes over no job of others", () => {
    const stranger = there({ ...edm, metadata: { ...edm.metadata, ownerReferences: [] } });
    expect(see(pipelineOf(), stranger).applies).toEqual([]);
    expect(conditionIn(pipelineOf(), "Progressing", stranger)).toMatchObject({ status: "False", reason: "NameTaken" });
  });

  it.each([
    [
      "weights that no other pod can read",
      { teacher: { ...TEACHER, checkpoint: {} } },
      /stage edm: checkpoint\.store is not set, and is in its pods, .* set s3:/,
    ],
    [
      "a job that deletes itself",
      { teacher: { ...TEACHER, kubernetes: { ttlSeconds: 5 } } },
      /stage edm: kubernetes\.ttlSeconds/,
    ],
    ["a mistake in a job", { student: { ...STUDENT, seed: -1 } }, /stage student: spec\.seed -1/],
  ])("is invalid with %s, by the field, and makes no job", (_, wishes, words) => {
    const { applies, status, events } = see(pipelineOf(wishes));
    expect(applies).toEqual([]);
    expect(status).toMatchObject({ phase: "Invalid" });
    expect(conditionIn(pipelineOf(wishes), "Invalid")).toMatchObject({
      status: "True",
      message: expect.stringMatching(words),
    });
    expect(events).toMatchObject([{ type: "Warning", reason: "Invalid" }]);
  });
});
