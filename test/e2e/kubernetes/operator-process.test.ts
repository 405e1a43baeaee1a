// Operators as processes, as they run in a cluster: who leads, what the leader hands over, and what their account may not do.

import { afterAll, beforeAll, expect, it } from "vitest";
import { type ControlPlane, startControlPlane } from "../../support/kubernetes/control-plane.ts";
import { installOperator, operatorAccount, startOperatorProcess } from "../../support/kubernetes-operator.ts";
import { scratchFolder } from "../../support/plume.ts";

let plane: ControlPlane;
let namespace: string;
beforeAll(async () => {
  plane = await startControlPlane();
  namespace = await plane.namespace();
  await installOperator(plane.kubectl, namespace);
});
afterAll(() => plane?.[Symbol.asyncDispose]());

const startProcess = (folder: { file(name: string): string }) =>
  startOperatorProcess({
    kubeconfig: plane.kubeconfig,
    namespace,
    file: folder.file("kubeconfig"),
    args: ["--lease-seconds", "3"],
  });

const job = (name: string) => `apiVersion: plume.dev/v1alpha1
kind: DiffusionJob
metadata: { name: ${name} }
spec: { data: { source: "shapes:64" }, suspend: true }`;

/** Whoever leads acts. */
async function expectAttended(name: string): Promise<void> {
  await plane.kubectl(["-n", namespace, "apply", "-f", "-"], { input: job(name) });
  await plane.kubectl(["-n", namespace, "wait", "--for=condition=Suspended", `dj/${name}`, "--timeout=60s"]);
}

it("one leads; one that ends hands over, one that is killed or frozen is followed, and one that thaws leaves", async () => {
  using folder = scratchFolder();
  await using first = await startProcess(folder);
  await expect.poll(first.leads).toBe(true);
  await expectAttended("one");
  await using second = await startProcess(folder);

  first.child.kill("SIGTERM");
  expect(await first.exited).toBe(0);
  await expect.poll(second.leads).toBe(true);
  await expectAttended("two");

  await using third = await startProcess(folder);
  second.child.kill("SIGKILL");
  await expect.poll(third.leads).toBe(true);
  await expectAttended("three");

  await using fourth = await startProcess(folder);
  third.child.kill("SIGSTOP");
  await expect.poll(fourth.leads).toBe(true);
  third.child.kill("SIGCONT");
  expect(await third.exited).toBe(1);
  expect(await fourth.leads()).toBe(true);
  await expectAttended("four");
});

it("a leader whose lease somebody wrote a note into reads it again, and goes on leading", async () => {
  using folder = scratchFolder();
  await using only = await startProcess(folder);
  await expect.poll(only.leads).toBe(true);
  const lease = async () =>
    JSON.parse((await plane.kubectl(["-n", namespace, "get", "lease/plume-operator", "-o", "json"])) as string) as {
      metadata: { annotations?: Record<string, string> };
      spec: { renewTime: string; leaseTransitions: number };
    };
  const before = await lease();
  // The leader renews by the version that it wrote itself: with this one the server refuses its next.
  await plane.kubectl(["-n", namespace, "annotate", "lease/plume-operator", "note=kept"]);
  const noted = await lease();
  await expect.poll(async () => (await lease()).spec.renewTime > noted.spec.renewTime).toBe(true);
  const after = await lease();
  expect(after.spec.leaseTransitions).toBe(before.spec.leaseTransitions);
  expect(after.metadata.annotations).toEqual({ note: "kept" });
  expect(await only.leads()).toBe(true);
});

const FORBIDDEN = [
  ["get", "secrets"],
  ["list", "secrets"],
  ["watch", "secrets"],
  ["create", "pods"],
  ["create", "pods/exec"],
  ["create", "pods/attach"],
  ["create", "pods/portforward"],
  ["get", "pods/log"],
  ["create", "serviceaccounts/token"],
  ["delete", "statefulsets.apps"],
  ["delete", "persistentvolumeclaims"],
  ["update", "diffusionjobs.plume.dev"],
  ["create", "diffusionpipelines.plume.dev"],
  ["update", "diffusionpipelines.plume.dev"],
  ["patch", "diffusionpipelines.plume.dev"],
  ["delete", "diffusionpipelines.plume.dev"],
  ["escalate", "roles.rbac.authorization.k8s.io"],
  ["bind", "roles.rbac.authorization.k8s.io"],
  ["impersonate", "users"],
  ["list", "nodes"],
  ["patch", "nodes"],
  ["get", "leases.coordination.k8s.io:other"],
  ["update", "leases.coordination.k8s.io:other"],
] as const;

/** @param resource with its subresource behind a slash; a name after a colon. */
async function mayDo(verb: string, resource: string, where: string): Promise<boolean> {
  const [kind = "", name] = resource.split(":");
  const [main = "", subresource] = kind.split("/");
  const what = name === undefined ? main : `${main}/${name}`;
  const sub = subresource === undefined ? [] : [`--subresource=${subresource}`];
  const asked = plane.kubectl(["auth", "can-i", verb, what, ...sub, "-n", where, "--as", operatorAccount(namespace)]);
  const answer = await asked.catch((error: Error) => error.message);
  return /(^|\s)(yes|no)\s*$/.exec(answer)![2] === "yes";
}

it.each(FORBIDDEN)("may not %s %s", async (verb, resource) => {
  expect(await mayDo(verb, resource, namespace)).toBe(false);
});

it("has no right at all in another namespace", async () => {
  const other = await plane.namespace();
  for (const [verb, resource] of [
    ["list", "diffusionjobs.plume.dev"],
    ["patch", "statefulsets.apps"],
    ["delete", "pods"],
  ] as const) {
    expect(await mayDo(verb, resource, other)).toBe(false);
    expect(await mayDo(verb, resource, namespace)).toBe(true);
  }
});

it("cannot give a coordinator a right that it does not have itself", async () => {
  const role = JSON.stringify({
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "Role",
    metadata: { name: "wide", namespace },
    rules: [{ apiGroups: [""], resources: ["secrets"], verbs: ["get"] }],
  });
  const asOperator = ["-n", namespace, "--as", operatorAccount(namespace)];
  await expect(plane.kubectl([...asOperator, "create", "-f", "-"], { input: role })).rejects.toThrow(
    /forbidden.*privilege|attempting to grant/s,
  );
});
