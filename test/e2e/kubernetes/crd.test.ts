// A DiffusionJob as a person meets it at a real API server, through the real kubectl: what is refused and in what words, what is
// filled in, what is shown.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DiffusionJobObject, jobOf } from "../../../k8s/crd/object.ts";
import { type Api, ApiError, createApi } from "../../../k8s/operator/api.ts";
import { collectionPath } from "../../../k8s/operator/kinds.ts";
import { fieldRows } from "../../../shared/config/fields.ts";
import { decidesBits } from "../../../shared/config/identity.ts";
import { dumpJob, loadJob, parseJob } from "../../../shared/config/load.ts";
import { RULES } from "../../../shared/config/rules.ts";
import { jobSchema } from "../../../shared/config/schema.ts";
import { ROOT } from "../../../shared/root.ts";
import { CHANGED, unchanged } from "../../support/kubernetes/changed-fields.ts";
import { type ControlPlane, startControlPlane } from "../../support/kubernetes/control-plane.ts";
import { CRD_FILE, installDiffusionJobs } from "../../support/kubernetes/custom-resources.ts";
import { nearJobs } from "../../support/kubernetes/near-jobs.ts";
import { AGAINST_A_FIELD, UNKNOWN_FIELDS } from "../../support/kubernetes/wrong-fields.ts";
import { AGAINST_A_RULE } from "../../support/kubernetes/wrong-jobs.ts";
import { configOf, startOperator } from "../../support/kubernetes-operator.ts";

const WRONG = [...AGAINST_A_RULE, ...AGAINST_A_FIELD];

let plane: ControlPlane;
let namespace: string;
let api: Api;
/** What kubectl says of each wrong job, in their order. */
let answers: readonly string[];
/** The annotation that it keeps of the definition. */
let kept: string;

const kubectl = (...args: string[]) => plane.kubectl(["-n", namespace, ...args]);
const apply = (jobs: readonly object[], ...more: string[]) =>
  plane.kubectl(["-n", namespace, "apply", ...more, "-f", "-"], {
    input: jobs.map((job) => JSON.stringify(job)).join("\n---\n"),
  });
const get = async (what: string) => JSON.parse(await kubectl("get", what, "-o", "json"));

const jobOfSpec = (name: string, spec: object) => ({
  apiVersion: "plume.dev/v1alpha1",
  kind: "DiffusionJob",
  metadata: { name },
  spec: { data: { source: "shapes:" }, ...spec },
});

/** What kubectl prints of one that is refused. */
const refusal = (job: object): Promise<string> =>
  apply([job]).then(
    (said) => `taken: ${said}`,
    (error: Error) => error.message,
  );

/** The same of several at once: a line each, in their order. */
const refusals = async (jobs: readonly object[]): Promise<string[]> => {
  const printed = await apply(jobs).catch((error: Error) => error.message);
  const line = /DiffusionJob(?:\.plume\.dev "[^"]*" is invalid|.* cannot be handled .*error): (.*(?:\n\* .*)*)/g;
  return [...printed.matchAll(line)].map(([, said]) => said!);
};

beforeAll(async () => {
  plane = await startControlPlane();
  // As a person does: the annotation that kubectl then writes must hold all of it.
  await installDiffusionJobs(plane.kubectl, []);
  const { metadata } = JSON.parse(await plane.kubectl(["get", "crd", "diffusionjobs.plume.dev", "-o", "json"]));
  kept = metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"];
  namespace = await plane.namespace();
  api = createApi({ config: configOf(plane.kubeconfig, null) });
  answers = await refusals(WRONG.map(({ spec }, i) => jobOfSpec(`wrong-${i}`, spec)));
});
afterAll(async () => {
  api?.close();
  await plane?.[Symbol.asyncDispose]();
});

describe("kubectl apply of a job with a mistake", () => {
  it.each(WRONG.map(({ spec, says }, i) => [JSON.stringify(spec), says, i] as const))("%s says %j", (_, says, i) => {
    expect(answers).toHaveLength(WRONG.length);
    for (const words of says) expect(answers[i]).toContain(words);
    expect(answers[i]).not.toMatch(/hunter2|evaluating rule|"object"/);
  });

  it("is one line of one mistake, and names each of several", async () => {
    const one = jobOfSpec("one", { workers: { min: 9 } });
    expect(await refusal(one)).toMatch(
      /The DiffusionJob "one" is invalid: spec\.workers\.min: Forbidden: 9 is above max 8; lower min, or raise max\n$/,
    );
    const several = await refusal(jobOfSpec("Two", { workers: { min: 9 }, training: { steps: 0 } }));
    for (const words of [
      `metadata.name: Forbidden: "Two" must be lower-case letters, digits and '-', at most 53 long`,
      "spec.training.steps: Invalid value: 0",
      "spec.workers.min: Forbidden: 9 is above max 8",
    ])
      expect(several).toContain(`\n* ${words}`);
  });

  it("names a field that no job has, a token's among them", async () => {
    const said = await refusals(UNKNOWN_FIELDS.map(([spec], i) => jobOfSpec(`unknown-${i}`, spec)));
    expect(said).toEqual(UNKNOWN_FIELDS.map(([, field]) => `unknown field "${field}"`));
  });

  it("has a case for every rule between fields", () => {
    const right = parseJob(JSON.stringify(jobOfSpec("right", {}))).spec;
    const merged = (spec: Readonly<Record<string, object>>) => ({
      ...right,
      ...Object.fromEntries(
        Object.entries(spec).map(([group, fields]) => [group, { ...right[group as "data"], ...fields }]),
      ),
    });
    const found = RULES.map(({ faults }) =>
      AGAINST_A_RULE.findIndex(({ spec }) => faults(merged(spec as Record<string, object>)).length > 0),
    );
    expect(found).toEqual(RULES.map((_, i) => i));
  });
});

/** { a: { b: value } } of "a.b". */
const specWith = (path: string, value: unknown): object =>
  path.split(".").reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as object;

const isGroup = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const merged = (base: unknown, over: unknown): unknown =>
  isGroup(base) && isGroup(over)
    ? { ...base, ...Object.fromEntries(Object.entries(over).map(([key, value]) => [key, merged(base[key], value)])) }
    : over;

/** Beside the fields of the same group. */
const withField = (path: string, value: unknown) => {
  const base = { data: { source: "shapes:" }, ...unchanged(path) };
  return merged(base, specWith(path, value)) as object;
};

describe("a job that is there", () => {
  const all = Object.entries(CHANGED);

  it("keeps every field that decides its bits, and says which one it was asked to change", async () => {
    await apply(all.map(([path], i) => jobOfSpec(`fixed-${i}`, unchanged(path))));
    const said = await refusals(all.map(([path, value], i) => jobOfSpec(`fixed-${i}`, withField(path, value))));
    expect(said).toEqual(
      all.map(([path]) =>
        expect.stringContaining(
          `spec.${path}: Forbidden: a run cannot go on with another ${path}: it decides the run's bits; apply a DiffusionJob of another name, with a checkpoint.store of its own`,
        ),
      ),
    );
  });

  it("has a case for every such field that has a second value", () => {
    const fields = fieldRows().filter(({ path, type, default: only }) => decidesBits(path) && only !== `"${type}"`);
    expect(all.map(([path]) => path)).toEqual(fields.map(({ path }) => path));
  });

  it("keeps one that has no default, given later or taken away", async () => {
    await apply([jobOfSpec("clipped", { training: { clip: 1 } })]);
    expect(await refusal(jobOfSpec("clipped", {}))).toContain("spec.training.clip: Forbidden");
  });

  it("may get more steps, other workers and other samples", async () => {
    await apply([jobOfSpec("free", {})]);
    const more = { training: { steps: 2000 }, workers: { replicas: 4 }, sampling: { count: 4 }, suspend: true };
    expect(await apply([jobOfSpec("free", more)])).toContain("configured");
  });

  it.each([
    ["beyond max", 9, "spec.workers.replicas: Forbidden: 9 is above workers.max 8; raise max or start fewer"],
    ["below min", 1, "1 is below workers.min 2, where the job waits; choose more, or lower min"],
    ["to nothing", 0, "0 workers train nothing; set suspend to true to give everything back and go on later"],
    ["to part of a pod", 5, "5 processes do not fill pods of 2; choose a multiple of workers.perPod"],
  ])("is not scaled %s", async (_, replicas, words) => {
    await apply([jobOfSpec("scaled", { workers: { replicas: 4, min: 2, perPod: 2 } })]);
    await expect(kubectl("scale", "dj/scaled", `--replicas=${replicas}`)).rejects.toThrow(words);
    expect((await get("dj/scaled")).spec.workers.replicas).toBe(4);
  });

  it("is scaled within min and max", async () => {
    await apply([jobOfSpec("scaled", { workers: { replicas: 4, min: 2, perPod: 2 } })]);
    expect(await kubectl("scale", "dj/scaled", "--replicas=6")).toContain("scaled");
    expect((await get("dj/scaled")).spec.workers.replicas).toBe(6);
  });

  it("that an earlier release let pass can be read, told of and put right, and only then be scaled", async () => {
    const schema = "/spec/versions/0/schema/openAPIV3Schema/properties/spec";
    const patch = [
      { op: "remove", path: `${schema}/x-kubernetes-validations` },
      { op: "replace", path: `${schema}/properties/training/properties/warmup/minimum`, value: -9 },
    ];
    const wrong = (more: object) => jobOfSpec("old", { workers: { min: 9, ...more }, training: { warmup: -1 } });
    await plane.kubectl(["patch", "crd/diffusionjobs.plume.dev", "--type=json", "-p", JSON.stringify(patch)]);
    await expect.poll(() => refusal(wrong({}))).toContain("old created");
    await plane.kubectl(["replace", "-f", CRD_FILE]);
    await expect.poll(() => refusal(jobOfSpec("new", { workers: { min: 9 } }))).toContain("9 is above max 8");
    await expect.poll(() => refusal(jobOfSpec("new", { training: { warmup: -1 } }))).toContain("warmup");

    await kubectl("label", "dj/old", "team=a");
    const status = JSON.stringify({ status: { phase: "Invalid" } });
    await kubectl("patch", "dj/old", "--subresource=status", "--type=merge", "-p", status);
    await expect(kubectl("scale", "dj/old", "--replicas=4")).rejects.toThrow("9 is above max 8");
    const mended = jobOfSpec("old", { workers: { min: 1, replicas: 4 }, training: { warmup: -1 } });
    await apply([mended]); // what no rule looks at, and did not change, may stay
    await kubectl("scale", "dj/old", "--replicas=5");
    await kubectl("delete", "dj/old");
  });
});

describe("a job that was taken", () => {
  it("has the defaults that it has on a laptop", async () => {
    const given = jobOfSpec("whole", { model: { classes: 10 }, training: { steps: 5 } });
    await apply([given]);
    const { spec, ...rest } = (await get("dj/whole")) as DiffusionJobObject;
    expect(spec.training).toMatchObject({ steps: 5, globalBatch: 64, optimizer: { type: "adamw", lr: 2e-4 } });
    expect(spec).not.toHaveProperty("training.clip");
    expect(dumpJob(jobOf({ ...rest, spec }))).toBe(dumpJob(parseJob(JSON.stringify(given))));
  });

  it("is known by its short name and its categories, and shows what its status says", async () => {
    await apply([jobOfSpec("shown", {})]);
    const status = {
      phase: "Training",
      columns: { step: "124/500", loss: "0.0412", workers: "2/2", samplesPerSecond: "1830", eta: "6h2m" },
      checkpoint: { step: 100, time: new Date(Date.now() - 192_000).toISOString(), url: "s3://bucket/shown" },
      weightsSha256: "ab12",
      conditions: [condition("Progressing", "Running", "all is well")],
    };
    await kubectl("patch", "dj/shown", "--subresource=status", "--type=merge", "-p", JSON.stringify({ status }));
    const [head, row] = rowsOf(await kubectl("get", "dj", "shown"));
    expect(head).toEqual(["NAME", "PHASE", "STEP", "LOSS", "WORKERS", "SAMPLES/S", "ETA", "CKPT", "AGE"]);
    expect(row!.slice(0, 7)).toEqual(["shown", "Training", "124/500", "0.0412", "2/2", "1830", "6h2m"]);
    expect(row![7]).toMatch(/^3m\d+s$/);
    const [wideHead, wide] = rowsOf(await kubectl("get", "diffusionjobs", "shown", "-o", "wide"));
    expect(wideHead!.slice(9)).toEqual(["CHECKPOINT", "WEIGHTS", "DATA", "MESSAGE"]);
    expect(wide!.slice(9)).toEqual(["s3://bucket/shown", "ab12", "shapes:", "all is well"]);
    for (const category of ["all", "plume"]) expect(await kubectl("get", category)).toMatch(/^(\S+\/)?shown /m);
  });

  it("is waited for by its conditions", async () => {
    await apply([jobOfSpec("awaited", {})]);
    const waiting = kubectl("wait", "dj/awaited", "--for=condition=Complete", "--timeout=60s");
    const status = { conditions: [condition("Complete", "AllSteps", "1000 steps")] };
    await kubectl("patch", "dj/awaited", "--subresource=status", "--type=merge", "-p", JSON.stringify({ status }));
    expect(await waiting).toContain("diffusionjob.plume.dev/awaited condition met");
  });
});

const condition = (type: string, reason: string, message: string) => ({
  type,
  status: "True",
  reason,
  message,
  lastTransitionTime: new Date(0).toISOString(),
});

/** Of a table of kubectl, whose columns are three blanks or more apart. */
const rowsOf = (table: string) =>
  table
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s{3,}/));

describe("kubectl explain", () => {
  it("says of a group what it is, and of a field what it means, its values, its default and whether it can change", async () => {
    const said = (await kubectl("explain", "dj.spec.training")).replace(/\s+/g, " ");
    for (const words of [
      "how long it is trained, in what batches, and by which optimizer",
      "steps <integer> optimizer steps of the whole run; may grow, and the run goes on; default 1000",
      "microBatch <integer> samples a micro-batch; must divide globalBatch; default 16; cannot change",
      'schedule <string> enum: constant, cosine learning rate after the warm-up; default "constant"; cannot change',
      "clip <number> largest global gradient norm; no clipping when absent; cannot change",
    ])
      expect(said).toContain(words);
  });
});

describe("the job files of the repository", () => {
  const folder = join(ROOT, "deploy/jobs");
  const files = [
    ...readdirSync(folder).map((name) => join(folder, name)),
    join(ROOT, "k8s/base/job.yaml"),
    join(ROOT, "k8s/overlays/s3/job.yaml"),
  ];
  it.each(files)("%s is a DiffusionJob as it is, and the same job", async (file) => {
    const said = await kubectl("apply", "--dry-run=server", "-o", "json", "-f", file);
    expect(dumpJob(jobOf(JSON.parse(said)))).toBe(dumpJob(loadJob(file, { set: [] })));
  });
});

it("the definition leaves kubectl's annotation room to grow", () => {
  expect(kept).toContain("openAPIV3Schema");
  expect(Buffer.byteLength(kept)).toBeLessThan(262_144 / 2);
});

describe("the two languages of a rule", () => {
  /** A form that an API server cannot judge: the operator does. */
  const onlyHere = ({ path, code, format }: { path: PropertyKey[]; code: string; format?: string }) =>
    path.join(".") === "spec.store.endpoint" && code === "invalid_format" && format === "url";

  /** Of each rule that is broken: field, value and limit, as both languages say it. Of several values the server tells one. */
  const firstWords = (issues: readonly { readonly path: PropertyKey[]; readonly message: string }[]) => {
    const said = new Map<string, string>();
    for (const { path, message } of issues) {
      const words = `${path.join(".")}: Forbidden: ${message.split(";")[0]}`;
      const rule = words.replace(/[\d.]+/g, "");
      if (!said.has(rule)) said.set(rule, words);
    }
    return said.values();
  };

  it("agree on jobs that are right and nearly so, in their answer, its field, its words and the defaults", async () => {
    const path = collectionPath("DiffusionJob", namespace);
    const query = { dryRun: "All", fieldValidation: "Strict" };
    const ask = (body: object) =>
      api.call<DiffusionJobObject>({ method: "POST", path, query, body }).catch((error: unknown) => {
        if (error instanceof ApiError) return error;
        throw error;
      });
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(nearJobs, async (job) => {
        const here = jobSchema.safeParse(job);
        const there = await ask(job);
        if (here.success) {
          taken++;
          if (there instanceof ApiError) throw new Error(`refused by the API server alone: ${there.message}`);
          expect(dumpJob(jobOf(there))).toBe(dumpJob(here.data));
          return;
        }
        const { issues } = here.error;
        if (issues.some((issue) => onlyHere(issue as never))) return;
        if (!(there instanceof ApiError)) throw new Error(`taken by the API server alone: ${JSON.stringify(issues)}`);
        expect(there.message).not.toMatch(/evaluating rule/);
        const said = there.message.replaceAll(/e-0(\d)\b/g, "e-$1"); // Go writes 1e-09
        if (!issues.every(({ code }) => code === "custom")) return;
        for (const words of firstWords(issues)) expect(said).toContain(words);
      }),
      { numRuns: 300 },
    );
    expect(taken).toBeGreaterThan(50);
  });

  // What such a search has found, or would.
  it.each([
    ["a divisor of 0", { training: { microBatch: 0 } }],
    ["no level at all", { model: { channelMult: [], attention: [1] } }],
    ["channels beyond 64 bits", { model: { channels: 2 ** 53 - 1, channelMult: [2 ** 53 - 1] } }],
    ["a negative quantity", { kubernetes: { coordinator: { resources: { requests: { cpu: -1 } } } } }],
    ["a line's end after a form", { kubernetes: { storage: "20Gi\n" } }],
  ])("agree on %s", async (_, spec) => {
    expect(jobSchema.safeParse(jobOfSpec("case", spec)).success).toBe(false);
    const said = await refusal(jobOfSpec("case", spec));
    expect(said).toMatch(/is invalid:\s+(\* )?spec\./);
    expect(said).not.toMatch(/evaluating rule/);
  });
});

describe("a job that the API server takes and plume does not", () => {
  const data = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/data/properties";
  it.each([
    [
      "a URL that no client can open",
      { store: { endpoint: "http://[" } },
      /spec\.store\.endpoint "http:\/\/\[": Invalid URL/,
    ],
    [
      "a field of a later release",
      { data: { source: "shapes:", flips: "up" } },
      /spec\.data\.flips is no field of a job; did you mean flip\?/,
    ],
  ])("%s: says so in its condition Invalid, with field, value and what would be right", async (_, spec, words) => {
    const later = [{ op: "add", path: `${data}/flips`, value: { type: "string" } }];
    await plane.kubectl(["patch", "crd/diffusionjobs.plume.dev", "--type=json", "-p", JSON.stringify(later)]);
    namespace = await plane.namespace(); // where no other job is
    await kubectl("apply", "-f", join(ROOT, "k8s/operator/access.yaml"));
    await using _operator = await startOperator({ kubeconfig: plane.kubeconfig, namespace });
    await expect.poll(() => refusal(jobOfSpec("odd", spec))).toContain("odd created");
    const invalid = async () =>
      (await get("dj/odd")).status?.conditions?.find(({ type }: { type: string }) => type === "Invalid");
    await expect.poll(async () => (await invalid())?.status).toBe("True");
    expect((await invalid()).message).toMatch(words);
    expect(rowsOf(await kubectl("get", "dj", "odd"))[1]![1]).toBe("Invalid");
    expect(await kubectl("get", "statefulsets", "-o", "name")).toBe("");
    await plane.kubectl(["replace", "-f", CRD_FILE]);
  });
});
