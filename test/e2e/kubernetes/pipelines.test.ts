// A pipeline on a real API server, with no kubelet: what the operator makes of it with the rights of its own account, and what a
// person sees.

import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type ControlPlane, startControlPlane } from "../../support/kubernetes/control-plane.ts";
import { eventually, openSite } from "../../support/kubernetes-site.ts";
import { plume, scratchFolder } from "../../support/plume.ts";

let plane: ControlPlane;
beforeAll(async () => {
  plane = await startControlPlane();
});
afterAll(() => plane?.[Symbol.asyncDispose]());

const scratch = scratchFolder();

const SPEC = {
  data: { source: "shapes:64", imageSize: 8, patch: 2 },
  model: { channels: 8, channelMult: [1, 2], groups: 4, classes: 10 },
  training: { steps: 4, globalBatch: 8, microBatch: 2 },
};

/** The teacher's job is in a file of its own. */
function pipelineFile(): string {
  const teacher = {
    ...SPEC,
    diffusion: { process: "edm", predict: "edm" },
    sampling: { sampler: "heun" },
    checkpoint: { store: "s3://bucket/edm" },
  };
  writeFileSync(scratch.file("edm.yaml"), JSON.stringify({ metadata: { name: "edm" }, spec: teacher }));
  const student = {
    ...SPEC,
    diffusion: { process: "edm", predict: "consistency", objective: "consistency" },
    sampling: { sampler: "consistency" },
  };
  const stages = [
    { name: "student", models: { teacher: { stage: "edm" } }, spec: student },
    { name: "edm", jobFile: "edm.yaml" },
  ];
  const file = scratch.file("p.yaml");
  writeFileSync(file, JSON.stringify({ kind: "DiffusionPipeline", metadata: { name: "p" }, spec: { stages } }));
  return file;
}

it("makes a job a stage, each when its upstream is complete, tells how far it is, and takes them with it", async () => {
  const here = await openSite(plane);
  await using _ = await here.operator();
  const rendered = await plume("render", "-f", pipelineFile());
  expect(rendered.code, rendered.stderr).toBe(0);
  await here.apply(rendered.stdout);

  await eventually(async () =>
    expect(await here.kubectl("get", "dj", "-o", "name")).toBe("diffusionjob.plume.dev/p-edm\n"),
  );
  await eventually(async () =>
    expect(await here.kubectl("get", "dp")).toMatch(/NAME +PHASE +STAGE +DONE +AGE\np +Training +edm +0\/2 /),
  );
  await eventually(async () => expect((await here.get("dj/p-edm")).status?.phase).toBe("Pending"));

  // As the operator writes it once a coordinator has said so.
  const emaSha256 = "e".repeat(64);
  const time = new Date().toISOString().replace(/\.\d+Z$/, "Z");
  const complete = {
    ...{ type: "Complete", status: "True", reason: "AllSteps", message: "4 of 4 steps" },
    ...{ lastTransitionTime: time, observedGeneration: 1 },
  };
  const finish = async (job: string) => {
    const { conditions } = (await here.get(`dj/${job}`)).status;
    const others = conditions.filter(({ type }: { type: string }) => type !== "Complete");
    const status = { step: 4, emaSha256, weightsSha256: "a".repeat(64), conditions: [...others, complete] };
    const patch = JSON.stringify({ status });
    await here.kubectl("patch", `dj/${job}`, "--subresource=status", "--type=merge", "-p", patch);
  };
  await finish("p-edm");
  await eventually(async () =>
    expect((await here.get("dj/p-student")).spec.models.teacher).toEqual({
      ...{ from: "s3://bucket/edm", weights: "ema", sha256: emaSha256 },
    }),
  );
  await eventually(async () => expect((await here.get("dj/p-student")).status?.conditions).toBeTruthy());
  await finish("p-student");
  await here.kubectl("wait", "dp/p", "--for=condition=Complete", "--timeout=60s");
  expect(await here.kubectl("get", "dp/p")).toMatch(/\np +Complete +2\/2 /);
  expect(await here.kubectl("events", "--for", "diffusionpipeline/p")).toMatch(/StageBegun[\s\S]*Complete/);

  await here.kubectl("delete", "dp/p");
  await eventually(async () => expect(await here.kubectl("get", "dj", "-o", "name")).toBe(""));
});

it("is refused by the server where it has two stages of a name, and is invalid by the operator's word where no pod can read a stage", async () => {
  const here = await openSite(plane);
  await using _ = await here.operator();
  const pipeline = (...names: string[]) =>
    JSON.stringify({
      apiVersion: "plume.dev/v1alpha1",
      kind: "DiffusionPipeline",
      metadata: { name: "q" },
      spec: {
        stages: names.map((name) => ({
          name,
          spec: SPEC,
          ...(name === "b" && { models: { classifier: { stage: "a" } } }),
        })),
      },
    });
  await expect(here.apply(pipeline("a", "a"))).rejects.toThrow(/Duplicate value.*"a"/s);
  await expect(here.apply(pipeline("A"))).rejects.toThrow(/must be lower-case letters/);
  await here.apply(pipeline("a", "b"));
  await here.kubectl("wait", "dp/q", "--for=condition=Invalid", "--timeout=60s");
  expect(
    (await here.get("dp/q")).status.conditions.find(({ type }: { type: string }) => type === "Invalid").message,
  ).toMatch(/stage a: checkpoint\.store is not set, .* set s3:/);
});
