// Every kustomization of the repository, judged by a real API server: what it does not know, does not allow or would warn of.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import type { KubernetesObject } from "../../../k8s/render/templates.ts";
import { parseJob } from "../../../shared/config/load.ts";
import { ROOT } from "../../../shared/root.ts";
import { type ControlPlane, startControlPlane } from "../../support/kubernetes/control-plane.ts";

let plane: ControlPlane;
let namespace: string;
beforeAll(async () => {
  plane = await startControlPlane();
  namespace = await plane.namespace();
  await plane.kubectl(["create", "namespace", "plume-system"]);
});
afterAll(() => plane?.[Symbol.asyncDispose]());

const OVERLAYS = join(ROOT, "k8s/overlays");
const folders = [
  join(ROOT, "k8s/base"),
  ...readdirSync(OVERLAYS, { withFileTypes: true }).flatMap((each) =>
    each.isDirectory() && !each.name.startsWith("operator") ? [join(OVERLAYS, each.name)] : [],
  ),
];

interface SetSpec {
  readonly template: { readonly metadata: object; readonly spec: { readonly volumes: readonly object[] } };
  readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
}

/** The pods of the sets on their own: the server judges them now, not when a controller makes them. */
const podsOf = (objects: readonly KubernetesObject[]) =>
  objects
    .filter(({ kind }) => kind === "StatefulSet")
    .map(({ metadata: { name }, spec }) => {
      const { template, volumeClaimTemplates = [] } = spec as unknown as SetSpec;
      const claimed = volumeClaimTemplates.map(({ metadata }) => ({ name: metadata.name, emptyDir: {} }));
      return {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { ...template.metadata, name },
        // Its service account would have to be there.
        spec: { ...template.spec, volumes: [...template.spec.volumes, ...claimed], serviceAccountName: "default" },
      };
    });

it("the operator for all namespaces is known field by field", async () => {
  const text = await plane.kubectl(["kustomize", join(OVERLAYS, "operator-cluster-wide")]);
  const said = await plane.kubectl(
    ["apply", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "-f", "-"],
    { input: text },
  );
  expect(said).toMatch(/^clusterrole.rbac.authorization.k8s.io\/plume-operator created/m);
  expect(said.trim().split("\n")).toHaveLength(parseAllDocuments(text).length);
});

it.each(folders)(
  "%s is known field by field, admitted where only restricted pods are, and holds a job",
  async (folder) => {
    const kubectl = (args: readonly string[], input?: string) =>
      plane.kubectl(["-n", namespace, ...args], input === undefined ? {} : { input });
    const text = await kubectl(["kustomize", folder]);
    const objects = parseAllDocuments(text).map((each) => each.toJS() as KubernetesObject);
    const [job] = objects.filter(({ kind, immutable }) => kind === "ConfigMap" && immutable);
    expect(parseJob((job!.data as Record<string, string>)["job.yaml"]!).metadata.name).toBe("plume");
    expect(text).toContain(`name: ${job!.metadata.name}\n        name: job`);

    const judge = ["apply", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "-f", "-"];
    const said = await kubectl(judge, text);
    expect(said.trim().split("\n")).toHaveLength(objects.length);
    const pods = podsOf(objects).map((pod) => JSON.stringify(pod));
    expect(pods).toHaveLength(2);
    for (const pod of pods) {
      await kubectl(judge, pod);
      const loose = pod.replace('"runAsNonRoot":true', '"runAsNonRoot":false');
      await expect(kubectl(judge, loose)).rejects.toThrow(/violates PodSecurity "restricted/);
    }
  },
);
