// A job's objects: the files of base with the job filled in. Pure, but that the files are read.

import type { Job } from "../../shared/config/schema.ts";
import { configMapHash } from "./hash.ts";
import { jobText } from "./job-text.ts";
import { COMPONENT, INSTANCE } from "./labels.ts";
import { type PodTemplate, withJob, withoutVolume, withProcesses, withWishes } from "./pods.ts";
import { type KubernetesObject, readTemplates, type Templates } from "./templates.ts";

export interface RenderOptions {
  /** That all objects are put into; the one that `kubectl apply` means, when absent. */
  readonly namespace?: string;
  readonly templates?: Templates;
}

/** Named after the job `plume`, in the templates. */
const NAMES = /\bplume-(coordinator|worker|job|state|page)\b/g;
/** The volume of the run's folder. */
const RUN = "run";

/** In the order in which they are applied. */
export function renderJob(
  job: Job,
  { namespace, templates = readTemplates() }: RenderOptions = {},
): KubernetesObject[] {
  const { name } = job.metadata;
  const { resources, job: generator } = templates;
  const data = { "job.yaml": jobText(job) };
  const mapName = generator.name.replace(NAMES, `${name}-$1`);
  const map: KubernetesObject = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: `${mapName}-${configMapHash(data)}`, labels: { ...generator.labels, [INSTANCE]: name } },
    immutable: generator.immutable,
    data,
  };
  const objects = resources.map((template) => filled(renamed(template, name), job, mapName, map.metadata.name));
  const all = [map, ...objects];
  if (namespace === undefined) return all;
  return all.map((object) => ({ ...object, metadata: { ...object.metadata, namespace } }));
}

function renamed(template: KubernetesObject, name: string): KubernetesObject {
  return JSON.parse(JSON.stringify(template), (key, value) => {
    if (key === INSTANCE) return name;
    if (key === "resourceNames") return value.map((each: string) => (each === "plume" ? name : each));
    return typeof value === "string" ? value.replace(NAMES, `${name}-$1`) : value;
  });
}

interface StatefulSetSpec {
  readonly replicas: number;
  readonly template: PodTemplate;
  readonly [field: string]: unknown;
}

function filled(object: KubernetesObject, job: Job, generated: string, map: string): KubernetesObject {
  if (object.kind !== "StatefulSet") return object;
  const spec = object.spec as StatefulSetSpec;
  const isWorker = object.metadata.labels![COMPONENT] === "worker";
  return { ...object, spec: isWorker ? workers(spec, job) : coordinator(spec, job, generated, map) };
}

function workers(set: StatefulSetSpec, { spec: { workers, kubernetes } }: Job): StatefulSetSpec {
  const template = withProcesses(withWishes(set.template, kubernetes, kubernetes.workers), workers.perPod);
  return { ...set, replicas: workers.replicas / workers.perPod, template };
}

function coordinator(
  set: StatefulSetSpec,
  { spec: { kubernetes } }: Job,
  generated: string,
  map: string,
): StatefulSetSpec {
  const template = withJob(withWishes(set.template, kubernetes, kubernetes.coordinator), generated, map);
  const { storage } = kubernetes;
  if (storage === undefined) return { ...set, template };
  const claim = {
    metadata: { name: RUN },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage } } },
  };
  return { ...set, template: withoutVolume(template, RUN), volumeClaimTemplates: [claim] };
}
