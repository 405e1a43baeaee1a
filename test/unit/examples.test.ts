// The examples of k8s run base's own pods: what differs is named here, and nothing else does.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { readTemplates } from "../../k8s/render/templates.ts";
import { ROOT } from "../../shared/root.ts";
import { podsOf } from "../support/kubernetes/manifests.ts";

// biome-ignore lint/suspicious/noExplicitAny: objects of Kubernetes, looked into by a test
type Any = any;

const podsIn = (file: string): Any[] =>
  parseAllDocuments(readFileSync(join(ROOT, "k8s/examples", file), "utf8")).flatMap((each) => podsOf(each.toJS()));

const COMPONENT = "app.kubernetes.io/component";
const BASE = readTemplates().resources.flatMap(podsOf) as Any[];

/** Made of base's pod: what another controller gives it instead. */
const expected = (component: "coordinator" | "worker", change: (spec: Any, container: Any) => void): Any => {
  const { spec } = structuredClone(BASE.find(({ labels }) => labels[COMPONENT] === component));
  change(spec, spec.containers[0]);
  return spec;
};

/** It scales nothing, so that it calls no API and needs no account of its own. */
const coordinator = expected("coordinator", (spec, container) => {
  Object.assign(spec, {
    serviceAccountName: "plume-worker",
    automountServiceAccountToken: false,
    restartPolicy: "OnFailure",
  });
  container.args = container.args.filter((arg: string) => !arg.startsWith("--scales="));
});

/** It ends with the run, finds the coordinator by the name that its controller gives it, and is called by its index. */
const worker = (address: string, more: (spec: Any, container: Any) => void = () => {}) =>
  expected("worker", (spec, container) => {
    spec.restartPolicy = "Never";
    delete spec.affinity; // a preference, of pods that have base's own labels
    container.args[0] = `--coordinator=${address}:7070`;
    container.args[1] = "--id=plume-worker-$(JOB_COMPLETION_INDEX)";
    container.env = container.env.filter(({ name }: Any) => name !== "POD_NAME");
    more(spec, container);
  });

/** Lists whose order says nothing. */
const sorted = (spec: Any): Any => {
  const byName = (list: Any[]) => [...list].sort((a, b) => (a.name < b.name ? -1 : 1));
  const containers = spec.containers.map((each: Any) => ({
    ...each,
    env: byName(each.env),
    volumeMounts: byName(each.volumeMounts),
  }));
  return { ...spec, containers, volumes: byName(spec.volumes) };
};

const JOBSET = { fieldRef: { fieldPath: "metadata.labels['jobset.sigs.k8s.io/jobset-name']" } };

it.each([
  ["jobset/jobset.yaml", [coordinator, worker("plume-coordinator-0-0.plume")]],
  [
    "trainjob/runtime.yaml",
    [
      coordinator,
      worker("$(JOBSET)-coordinator-0-0.$(JOBSET)", (_, container) => {
        container.name = "node";
        container.env.push({ name: "JOBSET", valueFrom: JOBSET });
      }),
    ],
  ],
  ["kueue/workers.yaml", [worker("plume-coordinator")]],
])("%s runs the pods of base", (file, specs) => {
  const found = podsIn(file);
  expect(found.map(({ spec }) => sorted(spec))).toEqual(specs.map(sorted));
});
