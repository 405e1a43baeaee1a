// What plume asks of its manifests beyond what an API server does: each rule finds what it is for, and every folder that
// kustomize can take keeps all of them.

import { beforeAll, describe, expect, it } from "vitest";
import { renderJob } from "../../../k8s/render/render.ts";
import type { KubernetesObject } from "../../../k8s/render/templates.ts";
import { parseJob } from "../../../shared/config/load.ts";
import { kustomizations, kustomize } from "../../support/kubernetes/kustomize.ts";
import { EXCLUSIONS, exclusionNames, judge } from "../../support/kubernetes/manifest-exclusions.ts";
import { faultsOf, RULE_NAMES, type RuleName } from "../../support/kubernetes/manifest-rules.ts";

let right: readonly KubernetesObject[];
beforeAll(async () => {
  right = await kustomize(["k8s/base", "k8s/operator"]);
});

// biome-ignore lint/suspicious/noExplicitAny: objects of Kubernetes that a test makes wrong
type Any = any;
type Change = (find: (kind: string, name: string) => Any, objects: Any[]) => void;

const pod =
  (change: (spec: Any) => void): Change =>
  (find) =>
    change(find("StatefulSet", "plume-worker").spec.template.spec);
const container = (change: (container: Any) => void): Change => pod(({ containers: [first] }) => change(first));
const operator =
  (change: (spec: Any) => void): Change =>
  (find) =>
    change(find("Deployment", "plume-operator").spec);

const WRONG: readonly (readonly [RuleName, Change, RegExp])[] = [
  ["labels", (find) => delete find("Service", "plume-worker").metadata.labels, /no label app.kubernetes.io\/name/],
  [
    "labels",
    (find) => delete find("Service", "plume-worker").metadata.labels["app.kubernetes.io/component"],
    /no label app.kubernetes.io\/component/,
  ],
  [
    "selector",
    (find) => delete find("StatefulSet", "plume-worker").spec.selector.matchLabels["app.kubernetes.io/component"],
    /selects the pods of StatefulSet\/plume-coordinator/,
  ],
  [
    "selector",
    (find) => delete find("StatefulSet", "plume-worker").spec.template.metadata.labels,
    /does not select its own pods/,
  ],
  [
    "service",
    (find) => {
      find("Service", "plume-worker").spec.selector["app.kubernetes.io/instance"] = "other";
    },
    /selects no pod/,
  ],
  [
    "service",
    (find) => {
      find("Service", "plume-coordinator").spec.ports[0].targetPort = "gprc";
    },
    /leads to port gprc, which none has/,
  ],
  [
    "headless-service",
    (find) => delete find("Service", "plume-worker").spec.clusterIP,
    /plume-worker is no headless Service/,
  ],
  [
    "budget",
    (find) => {
      find("PodDisruptionBudget", "plume-worker").spec.maxUnavailable = "0%";
    },
    /lets no pod go/,
  ],
  [
    "budget",
    (find) => delete find("PodDisruptionBudget", "plume-worker").spec.unhealthyPodEvictionPolicy,
    /keeps pods that are not healthy/,
  ],
  [
    "secrets",
    (_, objects) => objects.push({ apiVersion: "v1", kind: "Secret", metadata: { name: "plume-store" } }),
    /everybody can read/,
  ],
  ["rights", (find) => find("Role", "plume-coordinator").rules[0].verbs.push("*"), /gives verbs \*/],
  ["rights", (find) => find("Role", "plume-operator").rules[0].resources.push("secrets"), /gives resources secrets/],
  [
    "namespace",
    (_, objects) => objects.push({ apiVersion: "v1", kind: "Namespace", metadata: { name: "plume" } }),
    /admits pods that restricted pod security does not/,
  ],
  ["non-root", pod(({ securityContext }) => delete securityContext.runAsNonRoot), /may run as root/],
  ["non-root", pod(({ securityContext }) => delete securityContext.runAsUser), /runs as user 0/],
  ["seccomp", pod((spec) => delete spec.securityContext.seccompProfile), /any system call/],
  ["host", pod((spec) => Object.assign(spec, { hostNetwork: true })), /takes hostNetwork/],
  ["host", pod(({ volumes }) => volumes.push({ name: "dev", hostPath: { path: "/dev" } })), /mounts the host's dev/],
  ["host", container(({ ports }) => Object.assign(ports[0], { hostPort: 80 })), /the host's port 80/],
  ["service-account", pod((spec) => delete spec.serviceAccountName), /runs as default/],
  ["token", pod((spec) => Object.assign(spec, { automountServiceAccountToken: true })), /token that gives no right/],
  ["token", pod((spec) => delete spec.automountServiceAccountToken), /does not say whether it mounts a token/],
  [
    "token",
    operator(({ template }) => Object.assign(template.spec, { automountServiceAccountToken: false })),
    /has rights and no token/,
  ],
  ["service-links", pod((spec) => delete spec.enableServiceLinks), /every Service's name/],
  ["grace", pod((spec) => delete spec.terminationGracePeriodSeconds), /how long it may take to end/],
  ["priority", operator(() => {}), /has no priorityClassName/],
  ["spread", operator(({ template }) => delete template.spec.topologySpreadConstraints), /all its 2 pods on one node/],
  [
    "disruption",
    (find) => {
      find("PodDisruptionBudget", "plume-operator").spec.selector.matchLabels = { other: "label" };
    },
    /a drain takes all its pods at once/,
  ],
  ["network", operator(() => {}), /no NetworkPolicy selects it/],
  [
    "references",
    container(({ envFrom }) => delete envFrom[0].secretRef.optional),
    /needs Secret plume-store, which is not here/,
  ],
  [
    "references",
    (find) => {
      const { volumes } = find("StatefulSet", "plume-coordinator").spec.template.spec;
      volumes.find(({ name }: Any) => name === "job").configMap.name = "plume-job";
    },
    /needs ConfigMap plume-job, which is not here/,
  ],
  [
    "memory-volume",
    pod(({ volumes }) => delete volumes.find(({ name }: Any) => name === "shm").emptyDir.sizeLimit),
    /keeps shm in memory without a sizeLimit/,
  ],
  ["image", container((each) => Object.assign(each, { image: "plume:latest" })), /has image plume:latest/],
  ["image", container((each) => Object.assign(each, { image: "host:5000/plume" })), /has image host:5000\/plume/],
  ["pull-policy", container((each) => delete each.imagePullPolicy), /imagePullPolicy undefined/],
  ["requests", container(({ resources }) => delete resources.requests.memory), /requests no memory/],
  ["memory-limit", operator(({ template }) => delete template.spec.containers[0].resources.limits), /a node's memory/],
  ["no-cpu-limit", container(({ resources }) => Object.assign(resources, { limits: { cpu: 1 } })), /has a cpu limit/],
  ["probes", container((each) => delete each.livenessProbe), /has no livenessProbe/],
  ["probes", container((each) => delete each.readinessProbe), /has no readinessProbe/],
  [
    "probes",
    container(({ livenessProbe }) => Object.assign(livenessProbe.httpGet, { path: "/readyz" })),
    /killed when it is not ready/,
  ],
  ["probe-ports", container(({ startupProbe }) => Object.assign(startupProbe.httpGet, { port: 7072 })), /at 7072/],
  [
    "privilege-escalation",
    container(({ securityContext }) => delete securityContext.allowPrivilegeEscalation),
    /more rights than it starts with/,
  ],
  ["capabilities", container(({ securityContext }) => delete securityContext.capabilities), /capabilities of root/],
  [
    "read-only-root",
    container(({ securityContext }) => delete securityContext.readOnlyRootFilesystem),
    /write to its image's files/,
  ],
  [
    "secret-value",
    container(({ env }) => env.push({ name: "PLUME_TOKEN", value: "x" })),
    /has PLUME_TOKEN written down/,
  ],
];

describe("a rule", () => {
  it.each(WRONG)("of %s finds what is wrong (%#)", (rule, change, message) => {
    const objects = structuredClone(right) as Any[];
    change((kind, name) => objects.find((each) => each.kind === kind && each.metadata.name === name), objects);
    const found = faultsOf(objects).filter((fault) => fault.rule === rule);
    expect(found.map((fault) => fault.message).join("\n")).toMatch(message);
  });

  it("is in the table above, whichever it is", () => {
    expect(new Set(WRONG.map(([rule]) => rule))).toEqual(new Set(RULE_NAMES));
  });

  it("sees a pod wherever its template stands", () => {
    const template = { spec: { containers: [{ name: "node", image: "plume" }] } };
    const jobSet = { metadata: { name: "any" }, spec: { replicatedJobs: [{ template: { spec: { template } } }] } };
    const found = faultsOf([{ apiVersion: "jobset.x-k8s.io/v1alpha2", kind: "JobSet", ...jobSet }]);
    expect(found).toContainEqual({ rule: "requests", at: "JobSet/any", message: "container node requests no cpu" });
  });
});

it("a job with everything that a job file can ask of a cluster keeps every rule", () => {
  const job = parseJob('{ metadata: { name: plume }, spec: { data: { source: "shapes:" } } }', {
    set: [
      "workers.replicas=8",
      "workers.perPod=4",
      "kubernetes.storage=20Gi",
      "kubernetes.workers={resources: {limits: {nvidia.com/gpu: 4, memory: 8Gi}}, priorityClassName: low}",
    ],
  });
  const { faults, used } = judge(renderJob(job) as KubernetesObject[]);
  expect(faults).toEqual([]);
  expect(used).not.toContain("memory-limit StatefulSet/plume-worker");
});

it("every folder that kustomize takes keeps every rule, and every exclusion is needed", async () => {
  const used = new Set<string>();
  for (const { folder, isComponent } of kustomizations()) {
    const objects = isComponent ? await kustomize(["k8s/base", "k8s/operator"], [folder]) : await kustomize([folder]);
    const judged = judge(objects);
    expect(judged.faults, folder).toEqual([]);
    for (const name of judged.used) used.add(name);
  }
  expect([...used].sort()).toEqual(exclusionNames().sort());
  for (const { reason } of EXCLUSIONS) expect(reason.length).toBeGreaterThan(40);
});
