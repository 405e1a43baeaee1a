import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { diffusionJobDefinition } from "../../k8s/crd/definition.ts";
import { type DiffusionJobObject, jobOf } from "../../k8s/crd/object.ts";
import { CONDITION_TYPES, columnsOf, type DiffusionJobStatus } from "../../k8s/crd/status.ts";
import { type Structural, structuralOf } from "../../k8s/crd/structural.ts";
import { dumpJob, parseJob } from "../../shared/config/load.ts";
import { PlumeError } from "../../shared/errors.ts";

const schema = diffusionJobDefinition().spec.versions[0]!.schema.openAPIV3Schema;

function* nodes(node: Structural, path = ""): Generator<readonly [string, Structural]> {
  yield [path, node];
  for (const [name, child] of Object.entries(node.properties ?? {})) yield* nodes(child, `${path}.${name}`);
  if (node.items) yield* nodes(node.items, `${path}[]`);
  if (node.additionalProperties) yield* nodes(node.additionalProperties, `${path}.*`);
}

describe("the definition of a DiffusionJob", () => {
  it("is what its file says", () => {
    expect(parse(readFileSync("k8s/crd/diffusionjobs.plume.dev.yaml", "utf8"))).toEqual(
      JSON.parse(JSON.stringify(diffusionJobDefinition())),
    );
  });

  it("explains every group and every field of spec and status", () => {
    const explained = [...nodes(schema)].filter(([path]) => /^\.(spec|status)/.test(path) && !/(\[\]|\*)$/.test(path));
    expect(explained.length).toBeGreaterThan(150);
    for (const [path, { description }] of explained) expect(description, path).toMatch(/\w/);
  });

  it("says of a field what its default is, and whether it can change", () => {
    const { training } = schema.properties!.spec!.properties!;
    expect(training!.properties!.steps!.description).toMatch(/^optimizer steps .*; default 1000$/);
    expect(training!.properties!.microBatch!.description).toMatch(/; default 16; cannot change$/);
    expect(training!.properties!.clip!.description).toMatch(/; cannot change$/);
  });

  it("has no place for a token", () => {
    expect([...nodes(schema)].filter(([path]) => /token/i.test(path))).toEqual([]);
  });
});

describe("a schema for an API server", () => {
  it("says in its own words what JSON Schema says in others", () => {
    const { properties } = structuralOf(
      z.strictObject({
        above: z.number().positive().max(1),
        only: z.literal("unet").default("unet"),
        factor: z.union([z.literal(1), z.literal(2)]),
        cpu: z.union([z.string().regex(/^[0-9]+m?$/), z.int().min(0)]),
        labels: z.record(z.string(), z.string()),
        digest: z.string().regex(/^[0-9a-f]+$/, "must be hexadecimal"),
      }),
    );
    expect(properties).toEqual({
      above: { type: "number", minimum: 0, exclusiveMinimum: true, maximum: 1 },
      only: { type: "string", enum: ["unet"], default: "unet" },
      factor: { type: "integer", format: "int64", enum: [1, 2] },
      cpu: {
        anyOf: [{ type: "integer" }, { type: "string" }],
        pattern: "^[0-9]+m?$",
        minimum: 0,
        "x-kubernetes-int-or-string": true,
      },
      labels: { type: "object", additionalProperties: { type: "string" } },
      digest: {
        type: "string",
        "x-kubernetes-validations": [
          {
            rule: "self.matches(r'^[0-9a-f]+$')",
            messageExpression: `(self.contains('@') ? '' : '"' + self + '" ') + "must be hexadecimal"`,
            reason: "FieldValueForbidden",
          },
        ],
      },
    });
  });

  it.each([
    ["a union that it has no type for", z.union([z.string(), z.boolean()])],
    ["a word that nobody gave it", z.array(z.string()).meta({ uniqueItems: true })],
  ])("is not made of %s", (_, field) => {
    expect(() => structuralOf(z.strictObject({ field }))).toThrow("invariant broken: .field");
  });
});

const FILE = `apiVersion: plume.dev/v1alpha1
kind: DiffusionJob
metadata: { name: tiny, labels: { team: a, app: x } }
spec: { data: { source: 'shapes:' }, kubernetes: { workers: { nodeSelector: { zone: b, arch: arm64 } } } }`;

/** As an API server gives it back: maps in order, and what its tools wrote beside. */
const object = (spec: object = {}): DiffusionJobObject => ({
  apiVersion: "plume.dev/v1alpha1",
  kind: "DiffusionJob",
  metadata: {
    name: "tiny",
    namespace: "lab",
    uid: "0b0c",
    generation: 3,
    resourceVersion: "812",
    labels: { app: "x", team: "a" },
    annotations: { "kubectl.kubernetes.io/last-applied-configuration": "{}", "argocd.argoproj.io/tracking-id": "t" },
  },
  spec: {
    data: { source: "shapes:" },
    kubernetes: { workers: { nodeSelector: { arch: "arm64", zone: "b" } } },
    ...spec,
  },
});

describe("the job of an object of a cluster", () => {
  it("is the file's to the byte, in whatever order its maps came, and without what tools wrote beside", () => {
    expect(dumpJob(jobOf(object()))).toBe(dumpJob(parseJob(FILE)));
  });

  it("keeps the annotations that the user gave", () => {
    const { metadata, ...rest } = object();
    const annotated = { ...rest, metadata: { ...metadata, annotations: { ...metadata.annotations, owner: "ann" } } };
    expect(jobOf(annotated).metadata.annotations).toEqual({ owner: "ann" });
  });

  it("that is none names its object, the field, the value and what would be right", () => {
    const refused = () => jobOf(object({ store: { endpoint: "http://" }, seed: "x" }));
    expect(refused).toThrow(PlumeError);
    expect(refused).toThrow(/^DiffusionJob lab\/tiny: spec\.seed "x": expected integer\n {2}spec\.store\.endpoint/);
  });
});

describe("the columns of a status", () => {
  it.each<[DiffusionJobStatus, object]>([
    [{}, {}],
    [{ step: 0 }, { step: "0" }],
    [
      { step: 12_400, steps: 50_000, loss: 0.041_239_87, samplesPerSecond: 1830.4, etaSeconds: 21_744 },
      { step: "12400/50000", loss: "0.04124", samplesPerSecond: "1830", eta: "6h2m" },
    ],
    [
      { loss: 12.345_6, samplesPerSecond: 0.012_34 },
      { loss: "12.35", samplesPerSecond: "0.0123" },
    ],
    [
      { loss: 123_456.7, samplesPerSecond: 99.96 },
      { loss: "123457", samplesPerSecond: "100" },
    ],
    [{ workers: { ready: 62, desired: 64 } }, { workers: "62/64" }],
    [{ workers: { replicas: 3 } }, {}],
    [{ etaSeconds: 0.2 }, { eta: "0s" }],
    [{ etaSeconds: 59.7 }, { eta: "1m" }],
    [{ etaSeconds: 192 }, { eta: "3m12s" }],
    [{ etaSeconds: 86_400 * 2 + 10_800 + 59 }, { eta: "2d3h" }],
    [{ etaSeconds: 3600 }, { eta: "1h" }],
  ])("of %j are %j", (status, columns) => {
    expect(columnsOf(status)).toEqual(columns);
  });

  it("has conditions of all the kinds that it explains", () => {
    const { description } = schema.properties!.status!.properties!.conditions!.items!.properties!.type!;
    expect(description!.split(", ")).toEqual(CONDITION_TYPES);
  });
});
