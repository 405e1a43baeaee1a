// Every kustomization of the repository, judged by a real API server with the real custom resources of those it works with: what
// it does not know, does not allow or would warn of.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { renderJob } from "../../../k8s/render/render.ts";
import type { KubernetesObject } from "../../../k8s/render/templates.ts";
import { parseJob } from "../../../shared/config/load.ts";
import { ROOT } from "../../../shared/root.ts";
import { type ControlPlane, startControlPlane } from "../../support/kubernetes/control-plane.ts";
import { installCustomResources, installDiffusionJobs } from "../../support/kubernetes/custom-resources.ts";
import { kustomize } from "../../support/kubernetes/kustomize.ts";
import { type Pod, podsOf } from "../../support/kubernetes/manifests.ts";
import { scratchFolder } from "../../support/plume.ts";

let plane: ControlPlane;
let namespace: string;
let customResources: string[];
beforeAll(async () => {
  plane = await startControlPlane();
  namespace = await plane.namespace();
  const { kubectl } = plane;
  customResources = await installCustomResources(kubectl);
  await installDiffusionJobs(kubectl);
  await kubectl(["apply", "-f", "-"], { input: yaml(PLACES) });
}, 120_000);
afterAll(() => plane?.[Symbol.asyncDispose]());

/** What is a cluster's own, and has to be there before anything of it is named. */
const PLACES: readonly KubernetesObject[] = [
  {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: "plume-system", labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
  },
  { apiVersion: "node.k8s.io/v1", kind: "RuntimeClass", metadata: { name: "nvidia" }, handler: "nvidia" },
];

/** Documents, of which JSON is one way to write them. A List would be checked by kubectl alone. */
const yaml = (objects: readonly object[]): string => objects.map((each) => JSON.stringify(each)).join("\n---\n");

const foldersOf = (path: string): string[] =>
  readdirSync(join(ROOT, path), { withFileTypes: true }).flatMap((each) =>
    each.isDirectory() ? [`${path}/${each.name}`] : [],
  );

const OVERLAYS = foldersOf("k8s/overlays").filter((folder) => !folder.includes("/operator"));
const COMPONENTS = foldersOf("k8s/components");

/** What k8s/components says is tried together. */
const COMBINATIONS = readFileSync(join(ROOT, "k8s/components/README.md"), "utf8")
  .split("| on | components |")[1]!
  .split("\n")
  .flatMap((line) => {
    const [folder, ...components] = [...line.matchAll(/`([\w/-]+)`/g)].map(([, name]) => name!);
    return line.startsWith("| `")
      ? [[`k8s/${folder}`, components.map((each) => `k8s/components/${each}`)] as const]
      : [];
  });

/** On its own: the server judges it now, not when a controller makes it. Its service account would have to be there. */
const alone = ({ owner, labels, spec }: Pod, index: number): KubernetesObject => {
  const { volumeClaimTemplates = [] } = (owner.spec ?? {}) as {
    volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
  };
  const claimed = volumeClaimTemplates.map(({ metadata }) => ({ name: metadata.name, emptyDir: {} }));
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: `${owner.metadata.name}-${index}`, labels },
    spec: { ...spec, volumes: [...(spec.volumes ?? []), ...claimed], serviceAccountName: "default" },
  };
};

/** @returns what would be made. @throws with what the server does not know, does not allow or warns of. */
async function judge(objects: readonly object[], where = namespace): Promise<string[]> {
  const args = ["apply", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "-f", "-"];
  const said = await plane.kubectl(["-n", where, ...args], { input: yaml(objects) });
  return said.trim().split("\n");
}

/** Every object is known field by field, and every pod of theirs admitted where only restricted ones are. */
async function isTaken(objects: readonly KubernetesObject[], where = namespace): Promise<readonly Pod[]> {
  const pods = objects.flatMap(podsOf);
  const all = [...objects, ...pods.map(alone)];
  expect(await judge(all, where)).toHaveLength(all.length);
  return pods;
}

const jobFile = (objects: readonly KubernetesObject[]): KubernetesObject | undefined =>
  objects.find(({ kind, immutable, data }) => kind === "ConfigMap" && immutable && "job.yaml" in (data as object));

it.each(["k8s/base", ...OVERLAYS])("%s is taken, and its coordinator has its job", async (folder) => {
  const objects = await kustomize([folder]);
  const map = jobFile(objects)!;
  expect(parseJob((map.data as Record<string, string>)["job.yaml"]!).metadata.name).toBe("plume");
  expect(JSON.stringify(objects)).toContain(`"configMap":{"name":"${map.metadata.name}"}`);
  const pods = await isTaken(objects);
  expect(pods).toHaveLength(2);
});

it("a pod that may be root is not: the rule of the namespace is the real one", async () => {
  const [pod] = (await kustomize(["k8s/base"])).flatMap(podsOf);
  const loose = JSON.parse(JSON.stringify(alone(pod!, 0)).replace('"runAsNonRoot":true', '"runAsNonRoot":false'));
  await expect(judge([loose])).rejects.toThrow(/violates PodSecurity "restricted/);
});

it("the operator for all namespaces is taken", async () => {
  const pods = await isTaken(await kustomize(["k8s/overlays/operator-cluster-wide"]), "plume-system");
  expect(pods).toHaveLength(1);
});

describe("a component", () => {
  it.each(COMPONENTS)("%s is taken with base", async (component) => {
    await isTaken(await kustomize(["k8s/base"], [component]));
  });

  it.each(COMBINATIONS)(
    "of those that README names is taken with the others, on %s (%s)",
    async (folder, components) => {
      await isTaken(await kustomize([folder], components));
    },
  );

  it("is in a combination, whichever it is, and so is each overlay", () => {
    expect(new Set(COMBINATIONS.flatMap(([, components]) => components))).toEqual(new Set(COMPONENTS));
    expect(COMBINATIONS.map(([folder]) => folder).sort()).toEqual(["k8s/base", "k8s/operator", ...OVERLAYS].sort());
  });

  it("patches what plume render prints of a job of any name", async () => {
    using scratch = scratchFolder();
    const cats = parseJob('{ metadata: { name: cats }, spec: { data: { source: "shapes:" } } }');
    writeFileSync(scratch.file("cats.yaml"), yaml(renderJob(cats)));
    writeFileSync(scratch.file("kustomization.yaml"), "resources: [cats.yaml]\n");
    const objects = await kustomize([relative(ROOT, scratch.path)], COMPONENTS);
    const [coordinator, workers] = ["cats-coordinator", "cats-worker"].map((name) =>
      JSON.stringify(objects.find(({ kind, metadata }) => kind === "StatefulSet" && metadata.name === name)),
    );
    for (const pods of [coordinator, workers]) {
      expect(pods).toContain('"name":"OTEL_EXPORTER_OTLP_ENDPOINT"');
      expect(pods).toContain('"name":"PLUME_TLS"');
      expect(pods).not.toContain("prometheus.io/");
    }
    expect(coordinator).toContain('--set=nats.servers=[\\"nats://plume-nats:4222\\"]');
    expect(workers).toContain('"kueue.x-k8s.io/queue-name":"training"');
    expect(workers).not.toContain('"replicas"');
  });
});

describe("an example", () => {
  it.each(foldersOf("k8s/examples"))("%s is taken", async (folder) => {
    await isTaken(await kustomize([folder]));
  });
});

it("each custom resource is used, and a field that it does not know is refused", async () => {
  const folders = foldersOf("k8s/examples").map((folder) => kustomize([folder]));
  const all = (await Promise.all([kustomize(["k8s/base"], COMPONENTS), ...folders])).flat();
  const groups = customResources.map((name) => name.replace(/^[^.]*\./, ""));
  const kinds = new Map<string, KubernetesObject>();
  for (const object of all) if (groups.includes(object.apiVersion.split("/")[0]!)) kinds.set(object.kind, object);
  expect(kinds.size).toBe(customResources.length);
  for (const object of kinds.values()) {
    const wrong = { ...object, spec: { ...(object.spec as object), nonsense: 1 } };
    await expect(judge([wrong]), object.kind).rejects.toThrow(/unknown field "spec.nonsense"/);
  }
});
