import fc from "fast-check";
import { expect, test } from "vitest";
import { jobText } from "../../k8s/render/job-text.ts";
import { renderJob } from "../../k8s/render/render.ts";
import type { KubernetesObject } from "../../k8s/render/templates.ts";
import { parseJob } from "../../shared/config/load.ts";
import type { Job } from "../../shared/config/schema.ts";

const job = (...set: string[]): Job =>
  parseJob(`{ metadata: { name: cats }, spec: { data: { source: "shapes:" } } }`, { set });

const find = (objects: readonly KubernetesObject[], kind: string, name: string) => {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
  // biome-ignore lint/suspicious/noExplicitAny: an object of Kubernetes, looked into by a test
  return found as any;
};
const workers = (objects: readonly KubernetesObject[]) => find(objects, "StatefulSet", "cats-worker").spec;
const coordinator = (objects: readonly KubernetesObject[]) => find(objects, "StatefulSet", "cats-coordinator").spec;
const mapOf = (each: Job) => renderJob(each).find(({ kind, immutable }) => kind === "ConfigMap" && immutable)!;

test("every name, selector and argument is of the job", () => {
  const text = JSON.stringify(renderJob(job("kubernetes.secret=keys", "kubernetes.image=registry.example/trainer:2")));
  expect(text.match(/plume-[a-z]+/g) ?? []).toEqual([]);
  expect(text).not.toContain('"app.kubernetes.io/instance":"plume"');
  expect(text).toContain("--coordinator=cats-coordinator:7070");
  expect(text).toContain("--scales=statefulset/cats-worker");
  expect(text).toContain('"resourceNames":["cats"]');
});

test("a job that is called like a part of another one's is not taken for it", () => {
  const objects = renderJob({ ...job(), metadata: { name: "plume-worker" } });
  const names = objects.map(({ metadata }) => metadata.name.replace(/-job-.*/, "-job"));
  expect(new Set(names)).toEqual(
    new Set(["coordinator", "worker", "job", "state"].map((part) => `plume-worker-${part}`)),
  );
});

test("what the job says of its pods is in them, and nothing where it says nothing", () => {
  const plain = renderJob(job());
  for (const set of [workers(plain), coordinator(plain)]) {
    expect(set.template.spec).not.toHaveProperty("nodeSelector");
    expect(set.template.spec).not.toHaveProperty("tolerations");
    expect(set.template.spec.containers[0].resources).toEqual({ requests: { cpu: "1", memory: "2Gi" } });
  }
  const objects = renderJob(
    job(
      "kubernetes.workers={resources: {limits: {nvidia.com/gpu: 1}}, nodeSelector: {gpu: h100}, runtimeClassName: nvidia}",
      "kubernetes.workers.tolerations=[{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]",
      "kubernetes.coordinator={priorityClassName: high, annotations: {team: a}}",
      "kubernetes.imagePullPolicy=Always",
    ),
  );
  const pods = workers(objects).template.spec;
  expect(pods).toMatchObject({ nodeSelector: { gpu: "h100" }, runtimeClassName: "nvidia" });
  expect(pods.tolerations).toEqual([{ key: "nvidia.com/gpu", operator: "Exists", effect: "NoSchedule" }]);
  expect(pods.containers[0].resources.limits).toEqual({ "nvidia.com/gpu": 1 });
  expect(pods.containers[0].imagePullPolicy).toBe("Always");
  const { metadata, spec } = coordinator(objects).template;
  expect(spec.priorityClassName).toBe("high");
  expect(metadata.annotations).toMatchObject({ team: "a", "prometheus.io/port": "7071" });
});

test("the run's folder is on a volume of the cluster where the job asks for storage, else it goes with the pod", () => {
  const volumes = (each: Job) =>
    coordinator(renderJob(each)).template.spec.volumes.map(({ name }: { name: string }) => name);
  expect(volumes(job())).toContain("run");
  expect(coordinator(renderJob(job()))).not.toHaveProperty("volumeClaimTemplates");
  const kept = job("kubernetes.storage=20Gi");
  expect(volumes(kept)).not.toContain("run");
  const [claim] = coordinator(renderJob(kept)).volumeClaimTemplates;
  expect(claim).toMatchObject({ metadata: { name: "run" }, spec: { resources: { requests: { storage: "20Gi" } } } });
});

test("pods of several devices are fewer, and each supervises its processes", () => {
  const set = workers(renderJob(job("workers.replicas=8", "workers.perPod=4")));
  expect(set.replicas).toBe(2);
  const [container] = set.template.spec.containers;
  expect(container.command.at(-1)).toBe("/app/worker-pod.mjs");
  expect(container.args).toContain("--processes=4");
});

test("a resize, a suspension and the cluster's own fields give the coordinator no other job, another step does", () => {
  const name = (...set: string[]) => mapOf(job(...set)).metadata.name;
  expect(name("workers.replicas=7")).toBe(name());
  expect(name("suspend=true")).toBe(name());
  expect(name("kubernetes.storage=1Gi", "kubernetes.workers.nodeSelector={a: b}")).toBe(name());
  expect(name("training.steps=7")).not.toBe(name());
  expect(name("workers.max=7")).not.toBe(name());
});

test("the text of a job is the same job, as short as it can be said", () => {
  expect(parseJob(jobText(job()))).toEqual(job());
  expect(jobText(job()).trim().split("\n").slice(-3)).toEqual(["spec:", "  data:", '    source: "shapes:"']);
  const field = fc.constantFrom(
    "seed=7",
    "workers.max=1",
    "workers.min=3",
    "workers.perPod=3",
    "model.channelMult=[1]",
    "model.attention=[28]",
    "training.clip=2.5",
    "training.optimizer={type: lion, lr: 1e-4}",
    "checkpoint.store=s3://bucket/run",
    "store.pathStyle=true",
    "nats.servers=[nats://a:4222]",
    "monitoring.workerPort=7",
    "data.flip=true",
  );
  fc.assert(
    fc.property(fc.uniqueArray(field), (fields) => {
      const perPod = fields.includes("workers.perPod=3") ? 3 : 1;
      const max = fields.includes("workers.max=1") ? perPod : 8;
      const set = [...fields, `workers.replicas=${perPod}`, `workers.max=${max}`, `workers.min=1`];
      const asked = job(...set);
      const { spec, metadata } = parseJob(jobText(asked));
      const { replicas } = spec.workers;
      expect(metadata).toEqual({ name: "cats" });
      expect({ ...spec, workers: { ...spec.workers, replicas: perPod } }).toEqual(asked.spec);
      expect(replicas).toBeLessThanOrEqual(max);
    }),
  );
});

test("all objects are put into one namespace when it is named, and into none otherwise", () => {
  expect(renderJob(job()).every(({ metadata }) => !("namespace" in metadata))).toBe(true);
  expect(renderJob(job(), { namespace: "a" }).every(({ metadata }) => metadata.namespace === "a")).toBe(true);
});
