// Pods that are there and run nothing, for any number of jobs: a kubelet that binds each to a node and writes that it runs and is
// ready, and behind the address of every coordinator's pod a real gRPC server that answers as a run would.
//
// Unlike a cluster: no process runs, nothing is pulled and nothing takes time, and there is no scheduler. Every run is at the same
// step, and all of them stand still when they are told to.

import { ServerCredentials, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import type { Api } from "../../k8s/operator/api.ts";
import { type Informer, startInformer } from "../../k8s/operator/informer.ts";
import { collectionPath } from "../../k8s/operator/kinds.ts";
import type { KubernetesObject, Pod } from "../../k8s/operator/objects.ts";
import { isOf } from "../../k8s/operator/observed.ts";
import { createQueue, systemQueueClock } from "../../k8s/operator/queue.ts";
import { isReady } from "../../k8s/operator/trouble.ts";
import { INSTANCE, NAME, PLUME } from "../../k8s/render/labels.ts";
import { ControlServiceService, type GetStatusResponse, type Status } from "../../proto/gen/plume/v1/control.ts";
import { silentLog } from "../../shared/log.ts";
import { wireOf } from "../../shared/rpc/status.ts";
import { createServer } from "../../shared/rpc/transport.ts";
import { member, reportOf } from "../support/operator.ts";
import { takeAddresses } from "./addresses.ts";

const NODE = "fleet";
const GRPC_PORT = 7070;
/** A step of every run. */
const STEP_MS = 500;
const STEPS = 1_000_000;

export interface Fleet extends AsyncDisposable {
  /** Pods that run and are ready. */
  readonly ready: number;
  /** Questions that coordinators answered. */
  readonly answered: number;
  /** Whether runs go on: what a coordinator answers is the same for as long as they do not. */
  moving: boolean;
}

/** @param api of an administrator. The node's heartbeat is not kept up: start the control plane with a long `nodeGraceSeconds`. */
export async function startFleet(api: Api, namespace: string): Promise<Fleet> {
  const addresses = takeAddresses();
  const stop = new AbortController();
  const servers = new Map<string, ReturnType<typeof createServer>>();
  let answered = 0;
  let movedMs = 0;
  let since: number | null = null;
  await registerNode(api);

  const step = () => Math.floor((movedMs + (since === null ? 0 : performance.now() - since)) / STEP_MS);

  const answer = (job: string): Status => {
    const crew = pods.ofJob(namespace, job).filter((pod) => isOf(pod, "worker") && isReady(pod as Pod));
    return statusOf(job, step(), crew);
  };

  const listen = async (job: string, address: string) => {
    if (servers.has(address)) return;
    const server = createServer();
    servers.set(address, server);
    const getStatus = (_: ServerUnaryCall<unknown, GetStatusResponse>, done: sendUnaryData<GetStatusResponse>) => {
      answered++;
      done(null, { status: answer(job) });
    };
    server.addService(ControlServiceService, { getStatus });
    await new Promise<void>((resolve, reject) =>
      server.bindAsync(`${address}:${GRPC_PORT}`, ServerCredentials.createInsecure(), (error) =>
        error ? reject(error) : resolve(),
      ),
    );
  };

  /** As a kubelet looks at one pod. */
  const care = async (key: string): Promise<null> => {
    const name = key.split("/")[1]!;
    const pod = pods.get(namespace, name) as Pod | undefined;
    if (!pod) return null;
    const path = `${collectionPath("Pod", namespace)}/${name}`;
    if (pod.metadata.deletionTimestamp) {
      await api.call({ method: "DELETE", path, body: { gracePeriodSeconds: 0 } });
    } else if (!pod.spec.nodeName) {
      const target = { apiVersion: "v1", kind: "Node", name: NODE };
      const body = { apiVersion: "v1", kind: "Binding", metadata: { name }, target };
      await api.call({ method: "POST", path: `${path}/binding`, body });
    } else if (!isReady(pod)) {
      const ip = addresses.next();
      if (isOf(pod, "coordinator")) await listen(pod.metadata.labels![INSTANCE]!, ip);
      await patch(api, `${path}/status`, { status: runningAt(ip) });
    }
    return null;
  };

  const queue = createQueue({ clock: systemQueueClock, workers: 16, work: care, onError: () => {} });
  const pods: Informer = startInformer({
    api,
    kind: "Pod",
    namespace,
    labelSelector: `${NAME}=${PLUME}`,
    onChange: ({ metadata }) => queue.add(`${namespace}/${metadata.name}`),
    onError: () => {},
    log: silentLog,
    signal: stop.signal,
  });

  return {
    get ready() {
      return [...pods.all()].filter((pod) => isReady(pod as Pod)).length;
    },
    get answered() {
      return answered;
    },
    get moving() {
      return since !== null;
    },
    set moving(moving) {
      movedMs += since === null ? 0 : performance.now() - since;
      since = moving ? performance.now() : null;
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await queue.close();
      await pods.done;
      for (const server of servers.values()) server.forceShutdown();
      addresses[Symbol.dispose]();
    },
  };
}

const patch = (api: Api, path: string, body: object) =>
  api.call({ method: "PATCH", path, body, contentType: "application/merge-patch+json" });

async function registerNode(api: Api): Promise<void> {
  const node = { apiVersion: "v1", kind: "Node", metadata: { name: NODE } };
  await api.call({ method: "POST", path: collectionPath("Node", null), body: node });
  const ready = { type: "Ready", status: "True", reason: "KubeletReady", lastHeartbeatTime: new Date().toISOString() };
  await patch(api, `${collectionPath("Node", null)}/${NODE}/status`, { status: { conditions: [ready] } });
}

function runningAt(ip: string) {
  const now = new Date().toISOString();
  const condition = (type: string) => ({ type, status: "True", lastTransitionTime: now });
  const container = {
    name: "plume",
    image: "plume:0.1.0",
    imageID: "",
    ready: true,
    started: true,
    restartCount: 0,
    state: { running: { startedAt: now } },
  };
  return {
    phase: "Running",
    podIP: ip,
    podIPs: [{ ip }],
    startTime: now,
    conditions: ["Initialized", "Ready", "ContainersReady", "PodScheduled"].map(condition),
    containerStatuses: [container],
  };
}

const statusOf = (job: string, step: number, crew: readonly KubernetesObject[]): Status =>
  wireOf(
    reportOf({
      job,
      step,
      steps: STEPS,
      loss: 1 / Math.sqrt(step + 1),
      imagesPerSecond: 64_000 / STEP_MS,
      etaSeconds: ((STEPS - step) * STEP_MS) / 1000,
      workers: crew.length,
      members: crew.map(({ metadata }) => member(metadata.name)),
    }),
  );
