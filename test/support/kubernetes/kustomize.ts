// What `kubectl kustomize` makes of a folder of k8s, and of a component, which is nothing by itself.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { parse, parseAllDocuments } from "yaml";
import type { KubernetesObject } from "../../../k8s/render/templates.ts";
import { ROOT } from "../../../shared/root.ts";
import { scratchFolder } from "../plume.ts";
import { createKubectl } from "./kubectl.ts";

export interface Kustomization {
  /** Below the root: k8s/overlays/s3 */
  readonly folder: string;
  readonly isComponent: boolean;
}

/** Every folder below k8s that kustomize can take, in order. */
export function kustomizations(): Kustomization[] {
  const files = readdirSync(join(ROOT, "k8s"), { recursive: true, encoding: "utf8" });
  return files
    .filter((file) => /(^|\/)kustomization\.yaml$/.test(file))
    .sort()
    .map((file) => {
      const { kind } = parse(readFileSync(join(ROOT, "k8s", file), "utf8")) as { readonly kind?: string };
      return { folder: join("k8s", dirname(file)), isComponent: kind === "Component" };
    });
}

/** @param folders below the root, applied together, with components in their order. */
export async function kustomize(
  folders: readonly string[],
  components: readonly string[] = [],
): Promise<KubernetesObject[]> {
  using scratch = scratchFolder();
  const here = (folder: string) => relative(scratch.file("."), join(ROOT, folder));
  const kustomization = { resources: folders.map(here), components: components.map(here) };
  writeFileSync(scratch.file("kustomization.yaml"), JSON.stringify(kustomization));
  const text = await createKubectl("/dev/null", scratch.file("cache"))(["kustomize", scratch.file(".")]);
  return parseAllDocuments(text).map((each) => each.toJS() as KubernetesObject);
}
