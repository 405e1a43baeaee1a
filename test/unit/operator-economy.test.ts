// What the operator does not do twice, does not keep, and does not do more often for more jobs.

import { ServerCredentials, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { createCoordinators } from "../../k8s/operator/coordinators.ts";
import { driftOf } from "../../k8s/operator/drift.ts";
import { keptOf } from "../../k8s/operator/kept.ts";
import type { KubernetesObject, Pod } from "../../k8s/operator/objects.ts";
import { pacedFor } from "../../k8s/operator/pace.ts";
import { troubleOf } from "../../k8s/operator/trouble.ts";
import { ControlServiceService, type GetStatusResponse } from "../../proto/gen/plume/v1/control.ts";
import { wireOf } from "../../shared/rpc/status.ts";
import { planeOfEnvironment } from "../../shared/rpc/tls/plane.ts";
import { createServer } from "../../shared/rpc/transport.ts";
import { OPTIONS, reportOf, running } from "../support/operator.ts";

describe("the pace", () => {
  it("is what was asked for up to a hundred jobs, and then slower for each, so that all together stay within bounds", () => {
    expect(pacedFor(1, OPTIONS)).toEqual(OPTIONS);
    expect(pacedFor(100, OPTIONS)).toEqual(OPTIONS);
    expect(pacedFor(1_000, OPTIONS)).toEqual({ ...OPTIONS, statusEveryMs: 50_000, pollMs: 50_000 });
  });
});

describe("what is kept of an object", () => {
  const entry = (manager: string, operation: "Apply" | "Update", subresource?: string) => ({
    manager,
    operation,
    fieldsV1: { "f:data": {} },
    ...(subresource !== undefined && { subresource }),
  });

  it("is all of it but what others wrote in it", () => {
    const own = entry("plume-operator", "Apply");
    const managedFields = [own, entry("plume-operator", "Apply", "status"), entry("kube-controller-manager", "Update")];
    const metadata = { name: "a", namespace: "ns", labels: { a: "b" }, resourceVersion: "7" };
    const object = { apiVersion: "v1", kind: "ConfigMap", data: { a: "b" } };
    const kept = keptOf({ ...object, metadata: { ...metadata, managedFields } } as KubernetesObject);
    expect(kept).toEqual({ ...object, metadata: { ...metadata, managedFields: [own] } });
  });

  it("is of a pod where it is, which job files it mounts and how it is", () => {
    const job = { name: "job", configMap: { name: "tiny-job-1" } };
    const status = { phase: "Pending", conditions: [{ type: "PodScheduled", status: "False", message: "no node" }] };
    const spec = { nodeName: "a", volumes: [{ name: "tmp" }, job], containers: [{ name: "worker" }] };
    const metadata = { name: "w", uid: "u", managedFields: [entry("kubelet", "Update")] };
    const pod = { apiVersion: "v1", kind: "Pod", metadata, spec, status } as Pod;
    const kept = keptOf(pod) as Pod;
    expect(kept).toEqual({ ...pod, metadata: { name: "w", uid: "u" }, spec: { nodeName: "a", volumes: [job] } });
    expect(troubleOf(kept, undefined)).toEqual(troubleOf(pod, undefined));
  });

  it("says of every object of a job whether it is as it should be", () => {
    const { children, reading } = running();
    if (reading.kind !== "valid") throw new Error(reading.message);
    for (const child of children) {
      const wanted = reading.objects.find(
        ({ kind, metadata }) => kind === child.kind && metadata.name === child.metadata.name,
      )!;
      const owned = { ...wanted, metadata: { ...wanted.metadata, ownerReferences: child.metadata.ownerReferences! } };
      expect(driftOf(owned, keptOf(child))).toBeNull();
      expect(driftOf(wanted, keptOf(child))).toBe("metadata.ownerReferences");
    }
  });
});

/** A coordinator that tells how it was reached. */
async function coordinator() {
  const peers = new Set<string>();
  const server = createServer();
  let silent = false;
  server.addService(ControlServiceService, {
    getStatus(call: ServerUnaryCall<unknown, GetStatusResponse>, done: sendUnaryData<GetStatusResponse>) {
      peers.add(call.getPeer());
      if (silent) done({ code: 14, details: "it is starting" });
      else done(null, { status: wireOf(reportOf({})) });
    },
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  return {
    address: `127.0.0.1:${port}`,
    /** Connections by which it was asked. */
    peers,
    set silent(value: boolean) {
      silent = value;
    },
    [Symbol.dispose]: () => server.forceShutdown(),
  };
}

function asking() {
  let nowMs = 0;
  const coordinators = createCoordinators({
    plane: planeOfEnvironment(),
    now: () => nowMs,
    epochMs: () => nowMs,
    onSaved: () => {},
    patienceMs: 60_000,
  });
  return {
    [Symbol.dispose]: () => coordinators[Symbol.dispose](),
    status(key: string, address: string | null) {
      nowMs += 60_000; // no answer is fresh
      return coordinators.status(key, address === null ? null : { address, name: null });
    },
    at: coordinators.status,
    forget: coordinators.forget,
  };
}

describe("a connection to a coordinator", () => {
  it("is kept while its questions are answered, and is one of its own for each job", async () => {
    using there = await coordinator();
    using operator = asking();
    for (let question = 0; question < 3; question++) await operator.status("a", there.address);
    expect(there.peers.size).toBe(1);
    await operator.status("b", there.address);
    expect(there.peers.size).toBe(2);
  });

  it("is a new one after a question that was not answered", async () => {
    using there = await coordinator();
    using operator = asking();
    await operator.status("a", there.address);
    there.silent = true;
    expect(await operator.status("a", there.address)).toMatchObject({ kind: "silent" });
    there.silent = false;
    await operator.status("a", there.address);
    expect(there.peers.size).toBe(2);
  });

  it("is closed when no coordinator runs, when it moves, and when the job is gone", async () => {
    using there = await coordinator();
    using elsewhere = await coordinator();
    using operator = asking();
    await operator.status("a", there.address);
    expect(await operator.status("a", null)).toEqual({ kind: "unasked" });
    await operator.status("a", there.address);
    expect(there.peers.size).toBe(2);
    await operator.status("a", elsewhere.address);
    await operator.status("a", there.address);
    expect(there.peers.size).toBe(3);
    operator.forget("a");
    await operator.status("a", there.address);
    expect(there.peers.size).toBe(4);
    expect(elsewhere.peers.size).toBe(1);
  });
});

describe("a coordinator with certificates", () => {
  it("is not asked by an operator that has none, which says what to do", async () => {
    using operator = asking();
    expect(await operator.at("a", { address: "127.0.0.1:1", name: "tiny-coordinator" })).toEqual({
      kind: "silent",
      reason: expect.stringContaining("kubernetes.tls"),
    });
  });
});
