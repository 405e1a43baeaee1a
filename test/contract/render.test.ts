// The same job by three ways: kustomize over the files of k8s/base, the command line, and the function that the operator uses.

import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { configMapHash } from "../../k8s/render/hash.ts";
import { renderJob } from "../../k8s/render/render.ts";
import type { KubernetesObject } from "../../k8s/render/templates.ts";
import { cacheFolder } from "../../shared/cache-folder.ts";
import { loadJob } from "../../shared/config/load.ts";
import { ROOT } from "../../shared/root.ts";
import { plume, scratchFolder } from "../support/plume.ts";

const BASE = join(ROOT, "k8s/base");

/** kubectl, which needs no cluster for this. */
function kustomize(folder: string): KubernetesObject[] {
  const kubectl = cacheFolder("kubernetes", "current", "kubectl");
  const { status, stdout, stderr, error } = spawnSync(kubectl, ["kustomize", folder], { encoding: "utf8" });
  expect({ status, stderr, error }).toEqual({ status: 0, stderr: "", error: undefined });
  return objectsIn(stdout);
}

const objectsIn = (text: string): KubernetesObject[] => parseAllDocuments(text).map((each) => each.toJS());

const byName = (objects: readonly KubernetesObject[]) =>
  Object.fromEntries(objects.map((object) => [`${object.kind}/${object.metadata.name}`, object]));

test("kubectl kustomize k8s/base and plume render of its job are the same, object by object", async () => {
  const { code, stdout, stderr } = await plume("render", "-f", join(BASE, "job.yaml"));
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const expected = byName(kustomize(BASE));
  expect(Object.keys(expected)).toHaveLength(11);
  expect(byName(objectsIn(stdout))).toEqual(expected);
  expect(byName(renderJob(loadJob(join(BASE, "job.yaml"), { set: [] })))).toEqual(expected);
});

test("plume render prints one list as JSON, with every object in the namespace that was asked for", async () => {
  const { code, stdout } = await plume("render", "-f", join(BASE, "job.yaml"), "-n", "training", "-o", "json");
  expect(code).toBe(0);
  const list = JSON.parse(stdout);
  expect(list).toMatchObject({ apiVersion: "v1", kind: "List" });
  expect(list.items.map(({ metadata }: KubernetesObject) => metadata.namespace)).toEqual(Array(11).fill("training"));
});

test("a mistake in the job is told by its field, and nothing is printed", async () => {
  const finished = await plume("render", "-f", join(BASE, "job.yaml"), "--set", "workers.replicas=9");
  expect(finished).toMatchObject({ code: 2, stdout: "" });
  expect(finished.stderr).toContain("workers.replicas: 9 is above workers.max 8");
  expect(await plume("render", "-f", join(BASE, "job.yaml"), "-n", "No_Name")).toMatchObject({ code: 2, stdout: "" });
  expect(await plume("render", "-f", join(BASE, "job.yaml"), "-o", "xml")).toMatchObject({ code: 2, stdout: "" });
});

test("a ConfigMap's name ends as kustomize has it, whatever is in it", () => {
  using scratch = scratchFolder();
  const awkward = ["a < b && c > d\n", "\u2028 \u2029 é 日本 😀\n", 'tab\tquote" back\\slash \\b\n', ""];
  for (const [i, text] of awkward.entries()) {
    const folder = scratch.file(`${i}`);
    mkdirSync(folder);
    writeFileSync(join(folder, "z.txt"), text);
    writeFileSync(join(folder, "b.txt"), "second\n");
    writeFileSync(
      join(folder, "kustomization.yaml"),
      "configMapGenerator: [{ name: some-map, files: [z.txt, b.txt] }]\n",
    );
    const [map] = kustomize(folder);
    const suffix = configMapHash({ "z.txt": text, "b.txt": "second\n" });
    expect(map!.metadata.name, JSON.stringify(text)).toBe(`some-map-${suffix}`);
  }
});
