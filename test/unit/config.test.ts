import { readdirSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { fieldRows } from "../../shared/config/fields.ts";
import { dumpJob, loadJob, parseJob } from "../../shared/config/load.ts";
import { microBatchesPerStep } from "../../shared/config/schema.ts";
import { PlumeError } from "../../shared/errors.ts";
import { scratchFolder } from "../support/plume.ts";

const SMALLEST = "metadata: { name: tiny }\nspec: { data: { source: 'shapes:' } }";

const load = (...set: string[]) => parseJob(SMALLEST, { file: "job.yaml", set });

/** The PlumeError that a body throws. */
function refusal(body: () => unknown): PlumeError {
  try {
    body();
  } catch (error) {
    if (error instanceof PlumeError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("a job file", () => {
  it("of one field is a whole job: every other has its default", () => {
    const { apiVersion, kind, spec } = load();
    expect([apiVersion, kind]).toEqual(["plume.dev/v1alpha1", "DiffusionJob"]);
    expect(spec.training.optimizer).toMatchObject({ type: "adamw", lr: 2e-4, beta1: 0.9, beta2: 0.999 });
    expect(spec.workers).toMatchObject({ replicas: 2, min: 1, max: 8, backend: "auto" });
    expect(microBatchesPerStep(spec)).toBe(4);
  });

  it("that was resolved and written reads back as the same job", () => {
    for (const job of [load(), load("training.clip=1", "model.channelMult=[1,2,2]", "metadata.labels={a: '1'}")])
      expect(parseJob(dumpJob(job))).toEqual(job);
  });

  it.each(readdirSync(new URL("../../deploy/jobs", import.meta.url)))("deploy/jobs/%s is a job", (name) => {
    const job = loadJob(`deploy/jobs/${name}`, { set: [] });
    expect(`${job.metadata.name}.yaml`).toBe(name);
    expect(parseJob(dumpJob(job))).toEqual(job);
  });

  it("that is not there is named, with an example of one that is", () => {
    const error = refusal(() => loadJob("nowhere/job.yaml", { set: [] }));
    expect(error).toMatchObject({ code: "NOT_FOUND", exitCode: 2, remedy: expect.stringContaining("deploy/jobs") });
    expect(error.message).toContain("nowhere/job.yaml");
  });

  it("is read from its path", () => {
    using scratch = scratchFolder();
    writeFileSync(scratch.file("job.yaml"), SMALLEST);
    expect(loadJob(scratch.file("job.yaml"), { set: ["seed=7"] }).spec.seed).toBe(7);
  });

  it.each([
    ["an open list", "a: [1", "job.yaml:1:6: "],
    ["a tab", "spec:\n\tdata: x", "job.yaml:2:1: Tabs are not allowed"],
    ["a key given twice", "metadata: {name: t}\nkind: DiffusionJob\nmetadata: {name: u}", "job.yaml:3:1: Map keys"],
    ["two documents", "a: b\n---\nc: d", "job.yaml:2:1: "],
    ["an alias of nothing", "spec: *x", "job.yaml: Unresolved alias"],
    [
      "an alias bomb",
      `a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [${"*a,".repeat(10)}]\nc: [${"*b,".repeat(9)}]`,
      "alias count",
    ],
    ["nothing", "", "job.yaml holds no job"],
    ["a list", "- a", "job.yaml holds no job"],
  ])("with %s is refused, with the place", (_, text, message) => {
    const error = refusal(() => parseJob(text, { file: "job.yaml" }));
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", exitCode: 2, remedy: expect.any(String) });
    expect(error.message).toContain(message);
  });
});

describe("a mistake in a field", () => {
  it.each([
    ["training.stpes=1", "spec.training.stpes is no field of a job; did you mean steps?"],
    ["trainign.steps=1", "spec.trainign is no field of a job; did you mean training?"],
    ["quux=1", "spec.quux is no field of a job; the fields here are seed, data, model,"],
    ["training.steps=many", 'spec.training.steps "many": expected integer'],
    ["training.steps=1.5", "spec.training.steps 1.5: expected integer"],
    ["training.steps=0", "spec.training.steps 0: expected number to be >=1"],
    ["training.clip=", "spec.training.clip null: expected number"],
    ["data.flip=yes", 'spec.data.flip "yes": expected boolean'],
    ["data.patch=3", "spec.data.patch 3: expected one of 1 | 2 | 4"],
    ["diffusion.predict=noise", 'spec.diffusion.predict "noise": expected one of eps | x0 | v | score | edm'],
    ["diffusion.betaMin=30", "spec.diffusion.betaMax: 20 is below betaMin 30"],
    ["diffusion={process: ve, sigmaMax: 0.01}", "spec.diffusion.sigmaMax: 0.01 is not above sigmaMin 0.01"],
    ["diffusion.process=vp", "spec.sampling.sampler: ddim does not fit the process vp; choose one that does"],
    ["model.type=dit", 'spec.model.type "dit": expected one of unet | mlp | classifier'],
    ["model.channelMult=[1,x]", 'spec.model.channelMult.1 "x": expected integer'],
    ["training=3", "spec.training 3: expected a group of the fields steps, globalBatch,"],
    ["data={}", "spec.data.source is missing"],
    ["kind=Job", 'kind "Job": expected DiffusionJob'],
    ["metadata.name=A B", 'metadata.name "A B": must be lower-case letters'],
  ])("%s: %s", (pair, message) => {
    const error = refusal(() => load(pair));
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", exitCode: 2 });
    expect(error.message).toContain(`job.yaml: ${message}`);
  });

  it("comes with at most five lines, and says how many more there are", () => {
    const { message } = refusal(() => load("a=1", "b=1", "c=1", "d=1", "e=1", "f=1", "seed=x"));
    expect(message.split("\n")).toHaveLength(6);
    expect(message).toMatch(/and 2 more$/);
  });
});

describe("arithmetic between fields", () => {
  it.each([
    [["training.microBatch=24"], "spec.training.microBatch: 24 does not divide globalBatch 64", "for example 16"],
    [["data.patch=4", "data.imageSize=30"], "spec.data.patch: 4 does not divide imageSize 30", ""],
    [["data.imageSize=30", "data.patch=2"], "spec.model.channelMult: 2 levels divide 15 pixels by 2", "fewer levels"],
    [["model.channels=12"], "spec.model.groups: 8 does not divide the 12 channels of level 0", ""],
    [["model.attention=[9]"], "spec.model.attention: 9 is no resolution of this network", "its own, [28, 14]"],
    [["workers.min=9"], "spec.workers.min: 9 is above max 8", ""],
    [["workers.replicas=9"], "spec.workers.replicas: 9 is above workers.max 8", "raise max"],
    [["diffusion.timesteps=40"], "spec.sampling.steps: 50 is above diffusion.timesteps 40", ""],
    [["sampling.guidance=2"], "spec.sampling.guidance: 2 needs class labels", "model.classes"],
  ])("%j is refused: %s", (set, message, remedy) => {
    const error = refusal(() => load(...set));
    expect(error.message).toContain(message);
    expect(error.message).toContain(remedy);
  });
});

describe("--set", () => {
  it("wins over the file, the last one over those before, with paths from spec or from the root", () => {
    const text = `${SMALLEST.slice(0, -2)}, training: { steps: 5 } }`;
    expect(parseJob(text).spec.training.steps).toBe(5);
    const set = ["training.steps=6", "spec.training.steps=7", "metadata.name=other"];
    const job = parseJob(text, { set });
    expect(job.spec.training.steps).toBe(7);
    expect(job.metadata.name).toBe("other");
  });

  it("reads YAML values for numbers, lists and groups", () => {
    const { spec } = load("training.optimizer.lr=1e-3", "model.channelMult=[1, 2]", "sampling={count: 4, eta: 1}");
    expect(spec.training.optimizer.lr).toBe(0.001);
    expect(spec.model.channelMult).toEqual([1, 2]);
    expect(spec.sampling).toMatchObject({ count: 4, eta: 1, steps: 50 });
  });

  it("takes text as it is, colons, equals signs and digits included", () => {
    const { spec, metadata } = load("data.source=shapes:", "checkpoint.store=file://a=b: c", "metadata.name=123");
    expect(spec.data.source).toBe("shapes:");
    expect(spec.checkpoint.store).toBe("file://a=b: c");
    expect(metadata.name).toBe("123");
  });

  it.each(["training.steps", "=3", "training..steps=3", "", "__proto__.polluted=1", "spec.__proto__=1"])(
    "%j is no path=value",
    (pair) => {
      expect(refusal(() => load(pair))).toMatchObject({ code: "INVALID_ARGUMENT", remedy: expect.any(String) });
      expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    },
  );

  it("of a value that is no YAML, or below a field that is no group, is refused", () => {
    expect(refusal(() => load("model.channelMult=[1,")).message).toContain("--set model.channelMult=[1,:");
    expect(refusal(() => parseJob(`${SMALLEST}\nkind: x`, { set: ["kind.a=1"] })).message).toContain(
      "no group of fields",
    );
  });
});

describe("the reference of fields", () => {
  it("has every field of a resolved job, each with a type and a meaning", () => {
    const rows = new Map(fieldRows().map((row) => [row.path, row]));
    const leaves = (value: unknown, path: string): string[] =>
      typeof value === "object" && value !== null && !Array.isArray(value) && !rows.has(path)
        ? Object.entries(value).flatMap(([key, child]) => leaves(child, path ? `${path}.${key}` : key))
        : [path];
    for (const path of leaves(load().spec, "")) expect(rows.has(path), path).toBe(true);
    for (const { path, type, meaning } of rows.values()) {
      expect(type, path).not.toBe("any");
      expect(meaning, path).not.toBe("");
    }
  });

  it("gives the defaults that a job really gets", () => {
    const { spec } = load();
    for (const { path, default: fallback, within } of fieldRows()) {
      if (within !== undefined) continue; // of a group that this job has not
      const value = path.split(".").reduce<unknown>((node, key) => (node as Record<string, unknown>)[key], spec);
      if (fallback === "required") expect(path).toBe("data.source");
      else expect(JSON.stringify(value) ?? "", path).toBe(fallback);
    }
  });
});
