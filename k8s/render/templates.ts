// The files of k8s/base as objects: what kustomization.yaml lists, and the ConfigMap that it generates.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse, parseAllDocuments } from "yaml";
import { asset, BUNDLE } from "../../shared/root.ts";

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

export interface Templates {
  readonly resources: readonly KubernetesObject[];
  /** The job's ConfigMap, before its name has its suffix. */
  readonly job: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly immutable: boolean;
  };
}

interface Kustomization {
  readonly resources: readonly string[];
  readonly configMapGenerator: readonly [
    {
      readonly name: string;
      readonly options: { readonly immutable: boolean; readonly labels: Record<string, string> };
    },
  ];
}

/** Of the sources, or of the bundle, which brings them along. */
const folder = () => (BUNDLE ? join(BUNDLE, "base") : fileURLToPath(asset("k8s/base")));

export function readTemplates(): Templates {
  const read = (name: string) => readFileSync(join(folder(), name), "utf8");
  const { resources, configMapGenerator } = parse(read("kustomization.yaml")) as Kustomization;
  const [{ name, options }] = configMapGenerator;
  return {
    resources: resources.flatMap((file) =>
      parseAllDocuments(read(file)).map((each) => each.toJS() as KubernetesObject),
    ),
    job: { name, ...options },
  };
}
