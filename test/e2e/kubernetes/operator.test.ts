// The operator on a real API server with real controllers and no kubelet: what it makes of a job, what it puts right, and that it
// may die at any moment.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createApi } from "../../../k8s/operator/api.ts";
import { collectionPath } from "../../../k8s/operator/kinds.ts";
import type { KubernetesObject } from "../../../k8s/operator/objects.ts";
import { type ControlPlane, startControlPlane } from "../../support/kubernetes/control-plane.ts";
import { configOf, startOperator } from "../../support/kubernetes-operator.ts";
import { differences, eventually, jobText, objectsOfJob, openSite, type Site } from "../../support/kubernetes-site.ts";

let plane: ControlPlane;
beforeAll(async () => {
  plane = await startControlPlane();
  await openSite(plane); // so that the definition is there, which all of them share
});
afterAll(() => plane?.[Symbol.asyncDispose]());

const site = () => openSite(plane);

const CRD = "crd/diffusionjobs.plume.dev";
const namesOf = (objects: readonly KubernetesObject[]) =>
  objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`);

const settledAs = async (text: string, { namespace, objects }: Site) =>
  eventually(async () => expect(differences(text, namespace, await objects())).toEqual([]));

// Each in a namespace of its own.
describe.concurrent("a job", () => {
  it("becomes the objects that plume render prints, and then costs no call", async () => {
    const here = await site();
    await using operator = await here.operator();
    const text = jobText("tiny");
    await here.apply(text);
    await settledAs(text, here);
    await eventually(async () => expect((await here.get("dj/tiny")).status?.phase).toBe("Pending"));
    await eventually(async () =>
      expect(await here.kubectl("get", "pods", "-o", "name")).toMatch(/coordinator-0\n.*worker-0\n.*worker-1\n/),
    );
    await eventually(async () =>
      expect(await here.kubectl("events", "--for", "diffusionjob/tiny")).toContain("Launched"),
    );
    const quiet = async () => {
      const before = operator.calls.length;
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      return operator.calls.length - before;
    };
    await eventually(async () => expect(await quiet()).toBe(0));
  });

  it("is resized by kubectl scale, which touches neither the coordinator nor a pod template", async () => {
    const here = await site();
    await using _ = await here.operator();
    await here.apply(jobText("tiny"));
    await settledAs(jobText("tiny"), here);
    const before = await here.get("sts/tiny-coordinator");
    const template = (await here.get("sts/tiny-worker")).spec.template;
    await here.kubectl("scale", "dj/tiny", "--replicas=4");
    await eventually(async () => expect((await here.get("sts/tiny-worker")).spec.replicas).toBe(4));
    await eventually(async () => expect(await here.kubectl("get", "pods", "-o", "name")).toContain("worker-3"));
    expect((await here.get("sts/tiny-worker")).spec.template).toEqual(template);
    expect((await here.get("sts/tiny-coordinator")).metadata.generation).toBe(before.metadata.generation);
    await here.kubectl("scale", "dj/tiny", "--replicas=1");
    await eventually(async () =>
      expect((await here.get("dj/tiny/scale").catch(() => here.get("dj/tiny"))).spec.workers?.replicas).toBe(1),
    );
    await eventually(async () => expect((await here.get("sts/tiny-worker")).spec.replicas).toBe(1));
  });

  it("is put right whatever somebody changes or deletes", async () => {
    const here = await site();
    await using _ = await here.operator();
    const text = jobText("tiny");
    await here.apply(text);
    await settledAs(text, here);
    await here.kubectl("scale", "sts/tiny-worker", "--replicas=7");
    await here.kubectl("label", "service/tiny-worker", "app.kubernetes.io/component-");
    await here.kubectl("delete", "service/tiny-coordinator");
    await here.kubectl("delete", "configmap,sts", "-l", "app.kubernetes.io/name=plume");
    const rule = { op: "add", path: "/rules/-", value: { apiGroups: [""], resources: ["secrets"], verbs: ["get"] } };
    await here.kubectl("patch", "role/tiny-coordinator", "--type=json", "-p", JSON.stringify([rule]));
    await settledAs(text, here);
  });

  it("that the API server refuses a part of says which, and why", async () => {
    const here = await site();
    await using _ = await here.operator();
    const resources = { requests: { cpu: "2" }, limits: { cpu: "1" } };
    await here.apply(jobText("tiny", { kubernetes: { workers: { resources } } }));
    const progressing = () => here.condition("tiny", "Progressing");
    await eventually(async () => expect((await progressing())?.reason).toBe("Refused"));
    expect((await progressing()).message).toMatch(
      /refuses StatefulSet tiny-worker: .*must be less than or equal to cpu limit/,
    );
    await here.apply(jobText("tiny"));
    await settledAs(jobText("tiny"), here);
  });

  it("whose pods admission refuses says which object of the cluster does it, and what to change", async () => {
    const here = await site();
    const limits = { limits: [{ type: "Container", min: { memory: "4Gi" } }] };
    const makes = (kind: string, name: string, spec: object) =>
      here.apply(JSON.stringify({ apiVersion: "v1", kind, metadata: { name }, spec }));
    await makes("ResourceQuota", "small", { hard: { pods: "2" } });
    await using _ = await here.operator();
    await here.apply(jobText("tiny"));
    // Two of the three that it wants, in whatever order they are made.
    const told = async () => {
      const { status } = await here.get("dj/tiny");
      return JSON.stringify(status?.conditions?.filter(({ reason }: { reason: string }) => reason === "FailedCreate"));
    };
    await eventually(async () =>
      expect(await told()).toMatch(/exceeded quota: small.*raise ResourceQuota small, or lower kubernetes\./),
    );
    await eventually(async () =>
      expect(await here.kubectl("events", "--for", "dj/tiny")).toMatch(/Warning +FailedCreate.*exceeded quota/),
    );
    await here.kubectl("delete", "resourcequota/small");
    await here.kubectl("scale", "dj/tiny", "--replicas=3"); // or wait until the StatefulSet tries again
    await eventually(async () =>
      expect(await here.kubectl("get", "pods", "-o", "name")).toMatch(/worker-0\n.*worker-1\n.*worker-2\n/),
    );
    await here.kubectl("label", "sts/tiny-coordinator", "again=1");
    await eventually(async () => expect(await told()).toBe("[]"));

    await makes("LimitRange", "narrow", limits);
    await here.kubectl("delete", "pod/tiny-worker-2");
    const wide =
      /minimum memory usage per Container is 4Gi.*kubernetes\.workers\.resources to what .* LimitRange allows/;
    await eventually(async () => expect(await told()).toMatch(wide));
    await here.kubectl("delete", "limitrange/narrow");

    // What somebody adds beside the operator's fields is theirs, and stays.
    const added = JSON.stringify({ spec: { template: { spec: { hostNetwork: true } } } });
    await here.kubectl("patch", "sts/tiny-worker", "-p", added);
    await eventually(async () =>
      expect(await told()).toMatch(/violates PodSecurity \\"restricted.*hostNetwork.*take away what was added/),
    );
  });

  it("with more steps gets another job file, and the old one goes once no pod has it", async () => {
    const here = await site();
    await using _ = await here.operator();
    await here.apply(jobText("tiny"));
    await settledAs(jobText("tiny"), here);
    const more = jobText("tiny", { training: { steps: 40, globalBatch: 8, microBatch: 2 } });
    await here.apply(more);
    await settledAs(more, here);
    const files = async () => namesOf(await here.objects()).filter((name) => name.includes("tiny-job-"));
    await eventually(async () => expect(await files()).toHaveLength(1));
  });

  it("takes over nothing that is somebody else's", async () => {
    const here = await site();
    await here.kubectl("create", "serviceaccount", "tiny-worker");
    await using _ = await here.operator();
    await here.apply(jobText("tiny"));
    const progressing = () => here.condition("tiny", "Progressing");
    await eventually(async () => expect((await progressing())?.reason).toBe("NameTaken"));
    expect((await progressing()).message).toContain("ServiceAccount tiny-worker is there and is not plume's");
    expect((await here.get("serviceaccount/tiny-worker")).metadata.ownerReferences).toBeUndefined();
    expect(await here.objects()).toEqual([]);
  });
});

describe("an operator that dies at any call of a job's first pass", () => {
  it.concurrent.each(["before", "after"] as const)(
    "%s it is sent, is followed by one that ends at the same objects",
    async (when) => {
      const here = await site();
      const { namespace } = here;
      const api = createApi({ config: configOf(plane.kubeconfig, null) });
      const create = (name: string) =>
        api.call({ method: "POST", path: collectionPath("DiffusionJob", namespace), body: JSON.parse(jobText(name)) });
      const objectsOf = (name: string) => objectsOfJob(api, namespace, name);
      const phaseOf = async (name: string) => {
        const path = `${collectionPath("DiffusionJob", namespace)}/${name}`;
        return (await api.call<{ status?: { phase?: string } }>({ method: "GET", path })).status?.phase;
      };
      const expectWhole = async (name: string) => {
        await eventually(async () => expect(differences(jobText(name), namespace, await objectsOf(name))).toEqual([]));
        await eventually(async () => expect(await phaseOf(name)).toBe("Pending"));
        expect(await objectsOf(name)).toHaveLength(11);
      };

      await create("whole");
      const first = await here.operator();
      await expectWhole("whole");
      const isEvent = ({ method }: { readonly method: string }) => method === "POST";
      await eventually(async () => expect(first.calls.some(isEvent)).toBe(true));
      const total = first.calls.findIndex(isEvent) + 1;
      await first[Symbol.asyncDispose]();
      // Is it there? Make it; say so.
      expect(total).toBe(11 + 11 + 2);

      for (let call = 0; call < total; call++) {
        const name = `dies-${call}`;
        await create(name);
        const dying = await startOperator({ kubeconfig: plane.kubeconfig, namespace, diesAt: { call, when } });
        await dying.death;
        await dying[Symbol.asyncDispose]();
        await using _ = await here.operator();
        await expectWhole(name);
      }
      api.close();
    },
    300_000,
  );
});

describe("a job that is deleted", () => {
  it("takes everything with it, once the garbage collector knows of jobs", async () => {
    const here = await site();
    await using _ = await here.operator();
    await here.apply(jobText("tiny"));
    await settledAs(jobText("tiny"), here);
    await here.kubectl("delete", "dj/tiny");
    await eventually(async () => expect(namesOf(await here.objects())).toEqual([]));
  });
});

describe("a job of an earlier release", () => {
  it("that is wrong makes nothing, says why, and starts once it is put right", async () => {
    const here = await site();
    await using _ = await here.operator();
    // Made under the rules of an earlier release, which let it pass.
    const wrong = jobText("tiny", { model: { channels: 9, channelMult: [1], groups: 4 } });
    const rules = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/x-kubernetes-validations";
    await here.kubectl("patch", CRD, "--type=json", "-p", JSON.stringify([{ op: "remove", path: rules }]));
    await eventually(async () => expect(await here.apply(wrong).catch(String)).toContain("created"));
    const invalid = () => here.condition("tiny", "Invalid");
    await eventually(async () => expect((await invalid())?.status).toBe("True"));
    expect((await invalid()).message).toMatch(/model\.groups: 4 does not divide the 9 channels/);
    expect(await here.objects()).toEqual([]);
    await here.apply(jobText("tiny"));
    await settledAs(jobText("tiny"), here);
    expect((await invalid()).status).toBe("False");
    await here.kubectl("delete", CRD);
  });
});

describe("an API server that goes", () => {
  it("and comes back, is watched again, and what happened meanwhile is put right", async () => {
    const here = await site();
    await using _ = await here.operator();
    await here.apply(jobText("tiny"));
    await settledAs(jobText("tiny"), here);
    await plane.apiServer.kill();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await plane.apiServer.start();
    await here.kubectl("delete", "service/tiny-worker");
    await here.kubectl("scale", "dj/tiny", "--replicas=3");
    await settledAs(jobText("tiny", { workers: { replicas: 3, max: 4 } }), here);
  });

  it("has no memory to answer from, costs time and nothing else", async () => {
    const here = await site();
    await using _ = await here.operator();
    plane.etcd.freeze();
    const applied = here.apply(jobText("tiny"));
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    plane.etcd.thaw();
    await applied;
    await settledAs(jobText("tiny"), here);
  });
});
