// Jobs that are right, and jobs that are nearly so: fields of all kinds walked out of the job's schema, at and around their
// limits, and those that rules compare drawn from few numbers, so that they meet.

import fc from "fast-check";
import { z } from "zod";
import { jobSchema } from "../../../shared/config/schema.ts";

interface Node {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Node[];
  readonly items?: Node;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: Node | boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
}

const root = z.toJSONSchema(jobSchema, { io: "input", unrepresentable: "any" }) as Node;

/** What a string field may hold, of whichever field it is. */
const TEXTS = [
  ...["", "x", "a b", "é", "fashion-mnist", "shapes", "shapes:64", "shapesx", "idx:", "s3://b/p/", "s3:", "S3://b"],
  ...[
    "http://h",
    "https://h:9000/p",
    "http://",
    "https:///p",
    "http://u:p@h",
    "http://h/@x",
    "http://h:99999",
    "http://[",
  ],
  ...["20Gi", "20 Gi", "1.5T", "20GB", "500m", "2.", ".5", "1e3", "1E+3", "-1", "+1", "f".repeat(64), "F".repeat(64)],
  ...[
    "f".repeat(63),
    "2026-12-01T08:00:00Z",
    "2026-02-30T08:00:00+01:00",
    "2026-12-01",
    "http://h\n",
    "20Gi\n",
    "file://a",
    "s3://",
    "teacher",
    "shapes:\n",
  ],
];

/** Of a type that the field has, mostly; near its limits, often; wrong, now and then. */
function nearOf(node: Node): fc.Arbitrary<unknown> {
  const right = rightOf(node);
  return fc.oneof({ weight: 6, arbitrary: right }, { weight: 1, arbitrary: fc.constantFrom(...besideOf(node)) });
}

function rightOf(node: Node): fc.Arbitrary<unknown> {
  if (node.enum) return fc.constantFrom(...node.enum);
  if (node.const !== undefined) return fc.constant(node.const);
  if (node.anyOf) return fc.oneof(...node.anyOf.map(rightOf));
  switch (node.type) {
    case "integer": {
      const [least, most] = [node.minimum ?? 0, node.maximum ?? 64];
      return fc.oneof(fc.integer({ min: least, max: Math.min(most, least + 64) }), fc.constantFrom(least, most));
    }
    case "number": {
      const least = node.minimum ?? node.exclusiveMinimum ?? 0;
      return fc.double({ min: least, max: node.maximum ?? least + 10, minExcluded: !("minimum" in node), noNaN: true });
    }
    case "boolean":
      return fc.boolean();
    case "array":
      return fc.array(nearOf(node.items ?? {}), { maxLength: 3 });
    case "string":
      return fc.constantFrom(...TEXTS);
    default:
      return objectOf(node);
  }
}

/** Some of its fields, or some entries of a map. */
function objectOf({ properties, additionalProperties }: Node): fc.Arbitrary<object> {
  if (properties) return fc.record(mapValues(properties, nearOf), { requiredKeys: [] });
  return fc.dictionary(fc.constantFrom("cpu", "memory", "nvidia.com/gpu"), nearOf(additionalProperties as Node), {
    maxKeys: 2,
  });
}

/** Just outside of it, or of another type. A null is left out: see README.md of k8s/crd. */
function besideOf({ type, minimum, maximum, exclusiveMinimum, items }: Node): unknown[] {
  const limits = [minimum, exclusiveMinimum].flatMap((limit) => (limit === undefined ? [] : [limit, limit - 1]));
  const beyond = maximum === undefined ? [] : [maximum + 1];
  const long = items ? [Array(9).fill(1), []] : [];
  return [...limits, ...beyond, ...long, ...(type === "integer" ? [1.5] : []), "x", "1", true, 7, {}, [1], -1];
}

const mapValues = <A, B>(object: Readonly<Record<string, A>>, to: (value: A) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(object).map(([key, value]) => [key, to(value)]));

/** Numbers that divide and exceed one another, each right by itself. */
const meeting: Record<string, Record<string, fc.Arbitrary<unknown>>> = {
  data: {
    source: few("shapes:", "captions:", "wds:a", "heartbeat:", "heartbeat", "heartbeats:"),
    imageSize: few(1, 7, 8, 12, 16, 28, 32),
    patch: few(1, 2, 4),
    augment: few(0, 0.12, 1),
    flip: few(false, false, true),
  },
  model: {
    channels: few(1, 4, 6, 8, 12, 32, 65_536),
    channelMult: fc.array(few(1, 2, 3, 5, 1024), { minLength: 1, maxLength: 8 }),
    attention: fc.array(few(1, 2, 3, 4, 7, 8, 14, 16, 28), { maxLength: 3 }),
    levelBlocks: few([1], [1, 2], [2, 2]),
    groups: few(1, 2, 4, 8, 3),
    classes: few(0, 10),
    type: few(
      "unet",
      "unet",
      "mlp",
      "classifier",
      "dcgan",
      "vae",
      "dvae",
      "flow",
      "clip",
      "prior",
      "ar-prior",
      "dalle",
    ),
    embedding: few(48),
    text: few({}, { width: 32, heads: 3 }, { width: 8, layers: 1, heads: 4 }),
    lowRes: few({ size: 4 }, { size: 14, noise: 0.25 }, { size: 28, noise: 1 }),
  },
  training: {
    globalBatch: few(1, 8, 12, 64),
    microBatch: few(1, 2, 3, 8, 16, 64),
    init: few("teacher", "f".repeat(64)),
  },
  diffusion: {
    process: few("ddpm", "vp", "ve", "edm", "imagen", "nonequilibrium", "binomial"),
    weighting: few("simple", "likelihood"),
    timestepSampling: few("uniform", "loss-second-moment"),
    predict: few("eps", "edm", "consistency", "kernel"),
    objective: few(
      ...["simple", "hybrid", "consistency", "progressive", "cross-entropy", "trajectory-bound"],
      ...["non-saturating", "hinge", "elbo", "likelihood", "contrastive", "next-token"],
    ),
    variance: few("fixed-large", "learned-range"),
    scales: fc.record({ start: few(1, 2, 10), end: few(1, 5, 20) }, { requiredKeys: [] }),
    schedule: few("linear", "cosine"),
    timesteps: few(2, 20, 21, 50, 1000),
    betaMin: few(0.1, 1, 20),
    betaMax: few(0.5, 1, 20),
    sigmaMin: few(0.002, 1, 50, 60),
    sigmaMax: few(0.01, 1, 50, 100),
  },
  adversarial: { labelSmoothing: few(0, 0, 0.1) },
  autoencoder: { latentChannels: few(1, 4), beta: few(0, 0.5, 1), codes: few(8, 128), codeSide: few(2, 4) },
  models: {
    teacher: few({ from: "file://runs/a" }, { from: "s3://b/p", sha256: "f".repeat(64) }),
    classifier: few({ from: "file://runs/classifier" }),
    text: few({ from: "file:///models/t5" }, { from: "s3://b/t5", length: 16 }),
    clip: few({ from: "file://runs/clip" }),
    prior: few({ from: "file://runs/prior" }),
    dvae: few({ from: "file://runs/dvae" }),
  },
  workers: { replicas: few(1, 2, 4, 6, 9), min: few(1, 2, 9), max: few(1, 4, 8, 16), perPod: few(1, 2, 3) },
  sampling: {
    sampler: few("ddim", "ancestral", "heun", "pc", "dpm-fast", "consistency", "reverse-kernel", "generator"),
    everySteps: few(0, 0, 5),
    steps: few(1, 20, 21, 50, 1000),
    eta: few(0, 0.5),
    grid: few("karras", "time"),
    threshold: few("static", "dynamic"),
    percentile: few(50, 100),
    guidance: few(0, 1, 1.5, 2),
    classifierScale: few(0, 1, 2.5),
    lowResNoise: few(0, 0.25, 0.5),
    temperature: few(0.5, 1),
    topK: few(1, 8),
    prompts: few(["red square"], ["a corgi", "a cat"]),
  },
};

function few<T>(...values: readonly T[]): fc.Arbitrary<T> {
  return fc.constantFrom(...values);
}

type Spec = Readonly<Record<string, unknown>>;

const base: Spec = { data: { source: "shapes:" } };

/** Rules meet in it, and nothing else is wrong. */
const byRules = fc
  .record(
    mapValues(meeting, (group) => fc.record(group, { requiredKeys: [] })),
    { requiredKeys: [] },
  )
  .map((spec) => merge(base, spec));

/** A file may have a token, an object must not: k8s/crd. */
const { monitoring, ...others } = root.properties!.spec!.properties!;
const { token: _, ...served } = monitoring!.properties!;
const groupsOfSpec = { ...others, monitoring: { ...monitoring, properties: served } };

/** One to three groups of the schema, each with a few of its fields. */
const byFields = fc
  .subarray(Object.entries<Node>(groupsOfSpec), { minLength: 1, maxLength: 3 })
  .chain((groups) =>
    fc.record(
      mapValues(Object.fromEntries(groups), (node) => (node.properties ? fewFields(node.properties) : nearOf(node))),
    ),
  )
  .map((spec) => merge(base, spec as Spec));

const fewFields = (properties: Readonly<Record<string, Node>>): fc.Arbitrary<object> =>
  fc
    .subarray(Object.entries(properties), { maxLength: Math.min(2, Object.keys(properties).length) })
    .chain((fields) => fc.record(mapValues(Object.fromEntries(fields), nearOf)));

/** Groups of both, the fields of the second before those of the first. */
function merge(a: Spec, b: Spec): Spec {
  const isGroup = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);
  const both = Object.keys(b).map((key) => [
    key,
    isGroup(a[key]) && isGroup(b[key]) ? { ...(a[key] as object), ...(b[key] as object) } : b[key],
  ]);
  return { ...a, ...Object.fromEntries(both) };
}

const name = fc.oneof(
  { weight: 20, arbitrary: fc.constant("near") },
  { weight: 1, arbitrary: few("1", "a".repeat(53), "a".repeat(54), "a.b", "-a", "a-", "A") },
);

export const nearJobs = fc.record({ name, spec: fc.oneof(byRules, byFields) }).map(({ name: called, spec }) => ({
  apiVersion: "plume.dev/v1alpha1",
  kind: "DiffusionJob",
  metadata: { name: called },
  spec,
}));
