// Pipelines of jobs, without a run: what a file may say, and what becomes of each stage next.

import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { drawnBy } from "../../coordinator/cli/commands/sample/pipeline.ts";
import { parseJob } from "../../shared/config/load.ts";
import type { JobSpec } from "../../shared/config/schema.ts";
import { ROOT } from "../../shared/root.ts";
import { checkStages } from "../../shared/stages/fits.ts";
import { checkPipeline, dumpPipeline, jobWith, loadPipeline } from "../../shared/stages/load.ts";
import { withDownstream } from "../../shared/stages/order.ts";
import { plan, type StageFacts } from "../../shared/stages/plan.ts";
import type { Pipeline } from "../../shared/stages/schema.ts";
import { scratchFolder } from "../support/plume.ts";
import { refusalOf } from "../support/refusal.ts";

const NOBODY = {
  jobOf: (path: string): never => {
    throw new Error(`no file ${path}`);
  },
};
const pipelineOf = (value: object): Pipeline => checkPipeline(value, "p.yaml", NOBODY);

const DATA = { source: "shapes:64", imageSize: 8, patch: 2 };
const MODEL = { channels: 8, channelMult: [1, 2], groups: 4, classes: 10 };
const TEACHER = {
  data: DATA,
  model: MODEL,
  diffusion: { process: "edm", predict: "edm" },
  training: { steps: 4 },
  sampling: { sampler: "heun" },
};
const STUDENT = {
  ...TEACHER,
  diffusion: { process: "edm", predict: "consistency", objective: "consistency" },
  sampling: { sampler: "consistency" },
};
const UPSAMPLER = { data: DATA, model: { ...MODEL, lowRes: { size: 4 } } };
const SMALL = { data: { ...DATA, imageSize: 4, patch: 1 }, model: { ...MODEL, channelMult: [1] } };

const written = (...stages: object[]) => ({
  kind: "DiffusionPipeline",
  metadata: { name: "p" },
  spec: { stages },
});
const taught = (edge: object = { stage: "edm" }, spec: object = STUDENT) => ({
  name: "student",
  spec,
  models: { teacher: edge },
});
const edm = { name: "edm", spec: TEACHER };
const TWO = written(taught(), edm);

describe("a pipeline file", () => {
  it("names its stages in any order; each comes after what it takes, with a job of its own name", () => {
    const { stages } = pipelineOf(TWO);
    expect(stages.map(({ name, job }) => [name, job.metadata.name])).toEqual([
      ["edm", "p-edm"],
      ["student", "p-student"],
    ]);
  });

  it("is no job: plume train says what runs it", () => {
    expect(() => parseJob(dumpPipeline(pipelineOf(TWO)), { file: "p.yaml" })).toThrow(/p\.yaml is a pipeline of jobs/);
  });

  it("is the same without job files, as its folder keeps it", () => {
    const pipeline = pipelineOf(written(taught({ stage: "edm", weights: "raw" }), edm, { name: "a", spec: SMALL }));
    expect(pipelineOf(parse(dumpPipeline(pipeline)))).toEqual(pipeline);
  });

  it.each(readdirSync(join(ROOT, "deploy/pipelines")))("deploy/pipelines/%s is one, whose stages fit", async (file) => {
    const pipeline = loadPipeline(join(ROOT, "deploy/pipelines", file));
    expect(pipeline.stages).toHaveLength(2);
    await checkStages(pipeline);
  });

  it("is changed for all of its stages, or for one by its name", () => {
    const around = { ...NOBODY, set: ["training.steps=8", "edm.training.steps=6", "student.seed=7"] };
    const { stages } = checkPipeline(TWO, "p.yaml", around);
    expect(stages.map(({ job: { spec } }) => [spec.training.steps, spec.seed])).toEqual([
      [6, 0],
      [8, 7],
    ]);
  });

  it("fills any model that a job takes, and leaves the job's own others", () => {
    const guided = { ...STUDENT, models: { classifier: { from: "file:///c" }, teacher: { from: "file:///t" } } };
    const [, stage] = pipelineOf(written(edm, taught({ stage: "edm", weights: "raw" }, guided))).stages;
    const { models } = jobWith(stage!, () => ({ from: "file:///x", sha256: "a".repeat(64) })).spec;
    expect(models).toEqual({
      classifier: { from: "file:///c", weights: "ema" },
      teacher: { from: "file:///x", weights: "raw", sha256: "a".repeat(64) },
    });
  });
});

describe("is refused before any work:", () => {
  it("an override of a stage, and a job file, that there are not", async () => {
    expect(() => checkPipeline(TWO, "p.yaml", { ...NOBODY, set: ["emd.seed=1"] })).toThrow(
      "--set emd.seed=1: emd is no stage and no field of a job; did you mean edm?",
    );
    using scratch = scratchFolder();
    const file = scratch.file("astray.yaml");
    writeFileSync(file, JSON.stringify(written({ name: "edm", jobFile: "none.yaml" })));
    const { remedy } = await refusalOf(Promise.resolve().then(() => loadPipeline(file)));
    expect(remedy).toBe(`jobFile of stage edm is a path from the folder of ${file}`);
  });

  const node = (name: string, ...of: string[]) => ({
    name,
    spec: STUDENT,
    models: Object.fromEntries(of.map((stage, i) => [i === 0 ? "teacher" : "classifier", { stage }])),
  });

  it.each<[string, object, RegExp]>([
    ["a circle, by its path", written(node("a", "c"), node("b", "a"), node("c", "b")), /circle: a -> c -> b -> a;/],
    ["a stage of itself", written(node("a", "a")), /circle: a -> a;/],
    [
      "a circle through a base",
      written({ name: "up", spec: UPSAMPLER, base: { stage: "b" } }, { ...node("b", "up") }),
      /circle: up -> b -> up;/,
    ],
    ["an unknown stage", written(taught({ stage: "emd" }), edm), /takes of stage emd, .* did you mean edm\?/],
    [
      "a field that is no model",
      written({ ...taught(), models: { teecher: { stage: "edm" } } }, edm),
      /models\.teecher is no model .* did you mean teacher\?/,
    ],
    ["two of a name", written(edm, edm), /stage edm: there are two of this name/],
    ["a stage without a job", written({ name: "a" }), /stage a has no job/],
    ["a stage with two", written({ ...edm, jobFile: "x.yaml" }), /stage edm has both spec and jobFile/],
    [
      "a field of another name",
      written({ ...edm, modles: {} }),
      /modles is no field of a pipeline; did you mean models/,
    ],
    ["a field of an edge", written(taught({ stage: "edm", wieghts: "raw" }), edm), /wieghts .* did you mean weights/],
    ["no stages", written(), /spec\.stages/],
    ["a job", { kind: "DiffusionJob" }, /is a job, not a pipeline/],
    [
      "a mistake in a stage's job",
      written({ name: "edm", spec: { ...TEACHER, training: { steps: "many" } } }),
      /stage edm: spec\.training\.steps "many": expected integer/,
    ],
    ["a checkpoint beyond its end", written(taught({ stage: "edm", step: 9 }), edm), /step 9 of stage edm is above/],
    ["one that is never saved", written(taught({ stage: "edm", step: 3 }), edm), /saves every 500 steps and at 4/],
    [
      "one that is not kept",
      written(taught({ stage: "edm", step: 1 }), {
        name: "edm",
        spec: { ...TEACHER, checkpoint: { everySteps: 1, keep: 2 } },
      }),
      /keeps the newest 2; raise its checkpoint\.keep to 4/,
    ],
    [
      "a base of another size",
      written({ name: "up", spec: UPSAMPLER, base: { stage: "edm" } }, edm),
      /stage up: base edm: it draws images of data\.imageSize 8, up enlarges those of model\.lowRes\.size 4 to 8/,
    ],
    [
      "a base of what enlarges nothing",
      written({ ...edm, base: { stage: "small" } }, { name: "small", spec: SMALL }),
      /edm is no upsampler/,
    ],
    [
      "a base of other classes",
      written(
        { name: "up", spec: { ...UPSAMPLER, model: { ...UPSAMPLER.model, classes: 5 } }, base: { stage: "small" } },
        { name: "small", spec: SMALL },
      ),
      /it has model\.classes 10, up 5/,
    ],
    [
      "two runs in one store",
      written(...["a", "b"].map((name) => ({ name, spec: { ...TEACHER, checkpoint: { store: "file:///s" } } }))),
      /stage b: checkpoint\.store file:\/\/\/s is stage a's/,
    ],
    [
      "a token",
      written({ name: "a", spec: { ...TEACHER, monitoring: { token: "0123456789abcdef" } } }),
      /monitoring\.token/,
    ],
  ])("%s", async (_, value, words) => {
    const error = await refusalOf((async () => pipelineOf(value))());
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", exitCode: 2, message: expect.stringMatching(words) });
    expect(error.remedy).toBeTruthy();
  });

  it.each<[string, object, RegExp]>([
    [
      "other data",
      written(edm, taught({ stage: "edm" }, { ...STUDENT, data: { ...DATA, limit: 32 } })),
      /stage student: models\.teacher: stage edm learns from other data: shapes:64 \(digest \w{12}/,
    ],
    [
      "another process than its teacher's",
      written({ name: "edm", spec: { ...TEACHER, diffusion: { predict: "eps" }, sampling: {} } }, taught()),
      /stage student: models\.teacher: stage edm does not fit this job:\n {2}diffusion\.process/,
    ],
    [
      "another network than the copy of its teacher",
      written(
        edm,
        taught({ stage: "edm" }, { ...STUDENT, model: { ...MODEL, channels: 16 }, training: { init: "teacher" } }),
      ),
      /model\.channels, for training\.init teacher: the model has 8, the job 16/,
    ],
    [
      "a base of other data",
      written(
        { name: "up", spec: UPSAMPLER, base: { stage: "small" } },
        { name: "small", spec: { ...SMALL, data: { ...SMALL.data, source: "shapes:65" } } },
      ),
      /stage up: base: stage small learns from other data/,
    ],
    [
      "classes that the data has not",
      written({ name: "edm", spec: { ...TEACHER, model: { ...MODEL, classes: 7 } } }),
      /stage edm: model\.classes is 7/,
    ],
  ])("%s, once the data is open", async (_, value, words) => {
    await expect(checkStages(pipelineOf(value))).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringMatching(words),
    });
  });

  it("nothing of stages that fit, a base of smaller images of the same data among them", async () => {
    const small = { name: "small", spec: SMALL };
    await checkStages(
      pipelineOf(written(taught(), edm, small, { name: "up", spec: UPSAMPLER, base: { stage: "small" } })),
    );
  });
});

describe("what becomes of a stage next", () => {
  const pipeline = pipelineOf(TWO);
  const [first, second] = pipeline.stages;
  const sha = (letter: string) => letter.repeat(64);
  const NONE: StageFacts = { begun: null, steps: null, store: "file:///r", sha256: {} };
  const trained = (spec: JobSpec, letter: string): StageFacts => ({
    ...{ begun: spec, steps: spec.training.steps, store: "file:///r" },
    sha256: { ema: sha(letter), raw: sha("0") },
  });
  const student = (letter: string) => jobWith(second!, () => ({ from: "file:///r/step", sha256: sha(letter) }));
  const changed = (spec: JobSpec, lr: number): JobSpec => ({
    ...spec,
    training: { ...spec.training, optimizer: { ...spec.training.optimizer, lr } },
  });
  const states = (a: StageFacts, b: StageFacts, ...mayRetrain: string[]) =>
    plan(
      pipeline,
      new Map([
        ["edm", a],
        ["student", b],
      ]),
      new Set(mayRetrain),
    );
  const done = trained(first!.job.spec, "a");

  it("the first may begin, and what takes its weights waits", () => {
    expect(states(NONE, NONE)).toMatchObject([
      { kind: "ready", over: false },
      { kind: "blocked", by: ["edm"] },
    ]);
  });

  it("then what takes them begins with the store and the sha256 that there is", () => {
    const [, next] = states(done, NONE);
    expect(next).toMatchObject({
      kind: "ready",
      job: { spec: { models: { teacher: { from: "file:///r", sha256: sha("a") } } } },
    });
  });

  it("or with the checkpoint of a step, where the edge names one", () => {
    const teacher = { ...TEACHER, checkpoint: { everySteps: 2 } };
    const early = pipelineOf(
      written(taught({ stage: "edm", step: 2, weights: "raw" }), { name: "edm", spec: teacher }),
    );
    const sha256 = { ema: sha("a"), raw: sha("b"), "raw@2": sha("c") };
    const facts = { ...trained(early.stages[0]!.job.spec, "a"), sha256 };
    const [, next] = plan(
      early,
      new Map([
        ["edm", facts],
        ["student", NONE],
      ]),
    );
    expect(next).toMatchObject({
      job: { spec: { models: { teacher: { from: "file:///r/step-000000002", weights: "raw", sha256: sha("c") } } } },
    });
  });

  it("what was interrupted goes on, and what is done stays", () => {
    const begun = { ...NONE, begun: student("a").spec };
    expect(states(done, begun)).toMatchObject([{ kind: "done" }, { kind: "ready", over: false }]);
    expect(states(done, trained(student("a").spec, "b")).map(({ kind }) => kind)).toEqual(["done", "done"]);
  });

  it("what is asked for more steps goes on, and keeps waiting what takes its weights", () => {
    const short = { ...done, steps: 3 };
    expect(states(short, trained(student("a").spec, "b"))).toMatchObject([{ kind: "ready" }, { kind: "blocked" }]);
  });

  it("what was trained with other weights is stale, and says with which", () => {
    expect(states(done, trained(student("b").spec, "c"))[1]).toMatchObject({
      kind: "stale",
      reasons: [
        expect.stringMatching(/^the weights of stage edm \(models\.teacher\.sha256\) are a{12}\.\.\., .* b{12}/),
      ],
    });
  });

  it("what was trained by another job is stale, also while it waits; with leave it is trained anew", () => {
    const other = trained(changed(student("a").spec, 0.5), "c");
    const stale = { kind: "stale", reasons: [expect.stringContaining("training.optimizer.lr: it was 0.5")] };
    expect(states(NONE, other)[1]).toMatchObject(stale);
    expect(states(done, other)[1]).toMatchObject(stale);
    expect(states(done, other, "student")[1]).toMatchObject({ kind: "ready", over: true });
  });

  it("leave to train a stage anew is leave for what takes its weights", () => {
    expect([...withDownstream(pipeline.stages, ["edm"])]).toEqual(["edm", "student"]);
    expect([...withDownstream(pipeline.stages, ["student"])]).toEqual(["student"]);
  });

  it("a classifier that is another one makes nothing stale: the stage is told of it, and trains no step", () => {
    const guided = pipelineOf(
      written(edm, { name: "guided", spec: TEACHER, models: { classifier: { stage: "edm" } } }),
    );
    const [, stage] = guided.stages;
    const begun = jobWith(stage!, () => ({ from: "file:///r", sha256: sha("b") })).spec;
    const facts = new Map([
      ["edm", done],
      ["guided", trained(begun, "d")],
    ]);
    expect(plan(guided, facts)[1]).toMatchObject({
      kind: "ready",
      over: false,
      job: { spec: { models: { classifier: { sha256: sha("a") } } } },
    });
  });
});

describe("what plume sample draws", () => {
  it("is the last stage that gives images, from its bases, wherever they stand in the file", () => {
    using scratch = scratchFolder();
    const classifier = {
      name: "judge",
      spec: {
        data: DATA,
        model: { ...MODEL, type: "classifier", attention: [4] },
        diffusion: { objective: "cross-entropy" },
      },
    };
    const stages = [
      { name: "up", spec: UPSAMPLER, base: { stage: "small" } },
      { name: "small", spec: SMALL },
      classifier,
    ];
    writeFileSync(scratch.file("pipeline.yaml"), dumpPipeline(pipelineOf(written(...stages))));
    const asked = { pipeline: scratch.path };
    expect(() => drawnBy(undefined, asked)).toThrow(/stage up has not been trained yet/);
    for (const stage of ["up", "small"]) {
      mkdirSync(scratch.file(stage));
      writeFileSync(scratch.file(stage, "job.yaml"), "");
    }
    const at = (stage: string) => relative(process.cwd(), scratch.file(stage));
    expect(drawnBy(undefined, asked)).toEqual({ checkpoint: at("up"), base: [at("small")] });
    expect(drawnBy(undefined, { ...asked, images: ["a.png"] })).toEqual({ checkpoint: at("up") });
  });

  it.each<[string, string | undefined, object, RegExp]>([
    ["neither a checkpoint nor a pipeline", undefined, {}, /nothing is named to sample from/],
    ["both", "runs/x", { pipeline: "runs/y" }, /--pipeline runs\/y and runs\/x: images are drawn from one/],
    ["a base beside a pipeline", undefined, { pipeline: "runs/y", base: ["b"] }, /--pipeline runs\/y and --base b/],
    ["a folder of no pipeline", undefined, { pipeline: "deploy" }, /there is no pipeline\.yaml in it/],
  ])("is not %s", (_, checkpoint, asked, words) => {
    expect(() => drawnBy(checkpoint, asked)).toThrow(words);
  });
});
