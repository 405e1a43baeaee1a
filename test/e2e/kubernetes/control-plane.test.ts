// What every other test of Kubernetes stands on: the control plane is real, and comes back from what faults do to it.

import { afterAll, beforeAll, expect, it } from "vitest";
import { type ControlPlane, startControlPlane } from "../../support/kubernetes/control-plane.ts";

let plane: ControlPlane;
beforeAll(async () => {
  plane = await startControlPlane();
});
afterAll(() => plane?.[Symbol.asyncDispose]());

it("admits only pods of the restricted standard into a test's namespace", async () => {
  const namespace = await plane.namespace();
  await expect(plane.kubectl(["run", "any", "-n", namespace, "--image=any"])).rejects.toThrow(
    /violates PodSecurity "restricted:latest"/,
  );
});

it("keeps what it acknowledged through kills of the API server and of etcd, and answers at the same address", async () => {
  const apply = (name: string) => plane.kubectl(["create", "configmap", name, "--from-literal=kept=yes"]);
  const read = (name: string) => plane.kubectl(["get", "configmap", name, "-o", "jsonpath={.data.kept}"]);
  await apply("before-api-server");
  await plane.apiServer.kill();
  await expect(read("before-api-server")).rejects.toThrow(/refused/);
  await plane.apiServer.start();
  expect(await read("before-api-server")).toBe("yes");
  await apply("before-etcd");
  await plane.etcd.kill();
  await plane.etcd.start();
  expect(await read("before-etcd")).toBe("yes");
});

it("answers what was asked while etcd was frozen", async () => {
  plane.etcd.freeze();
  const asked = plane.kubectl(["create", "configmap", "while-frozen"]);
  await expect(plane.kubectl(["get", "configmaps", "--request-timeout=1s"])).rejects.toThrow();
  plane.etcd.thaw();
  await asked;
  expect(await plane.kubectl(["get", "configmaps", "-o", "name"])).toContain("configmap/while-frozen");
});
