// A pod on a node: its address, its volumes, its containers; what the API is told of them.

import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { IMAGE_USER, type Surroundings } from "../../container.ts";
import type { Client } from "./client.ts";
import { environmentOf, expand, NotYet } from "./environment.ts";
import type { Condition, ContainerSpec, Pod, PodStatus } from "./objects.ts";
import { createRunner, type Runner } from "./runner.ts";
import { prepareVolumes } from "./volumes.ts";

export interface PodOptions {
  readonly client: Client;
  readonly pod: Pod;
  readonly ip: string;
  /** The pod's own, gone with it. */
  readonly folder: string;
  readonly claimFolder: (namespace: string, claim: string) => string;
  /** Names of the namespace's services and pods. */
  readonly hosts: string;
  readonly images: Readonly<Record<string, string>>;
  /** KUBERNETES_SERVICE_HOST and so on. */
  readonly cluster: Readonly<Record<string, string>>;
}

export interface RunningPod {
  readonly ip: string;
  readonly ready: boolean;
  readonly runners: readonly Runner[];
  sync(): void;
  /** Of the pod as the API has it. */
  statusFor(pod: Pod): PodStatus;
  /** Resolves when nothing of it runs. */
  end(graceSeconds: number): Promise<void>;
}

export function createPod(options: PodOptions): RunningPod {
  const { pod, ip, folder } = options;
  const { restartPolicy = "Always", terminationGracePeriodSeconds = 30 } = pod.spec;
  const startTime = new Date().toISOString();
  mkdirSync(folder, { recursive: true });
  const runners = pod.spec.containers.map((spec) =>
    createRunner({
      spec,
      ip,
      graceSeconds: terminationGracePeriodSeconds,
      restarts: restartPolicy !== "Never",
      prepare: () => prepare(spec, options),
    }),
  );
  const isReady = () => runners.every(({ status }) => status.ready);
  let since: Readonly<Record<string, string>> = {};

  return {
    ip,
    runners,
    get ready() {
      return isReady();
    },
    sync() {
      for (const runner of runners) runner.sync();
    },
    statusFor({ status: before }) {
      const ready = isReady();
      const condition = (type: string, holds: boolean): Condition => {
        const key = `${type} ${holds}`;
        since = { ...since, [key]: since[key] ?? new Date().toISOString() };
        return { type, status: holds ? "True" : "False", lastTransitionTime: since[key]! };
      };
      const ours = [
        condition("PodScheduled", true),
        condition("Initialized", true),
        condition("ContainersReady", ready),
        condition("Ready", ready),
      ];
      const others = (before?.conditions ?? []).filter(({ type }) => ours.every((each) => each.type !== type));
      return {
        phase: phaseOf(runners, restartPolicy),
        podIP: ip,
        podIPs: [{ ip }],
        hostIP: "127.0.0.1",
        startTime,
        conditions: [...ours, ...others],
        containerStatuses: runners.map(({ status }) => status),
      };
    },
    async end(graceSeconds) {
      await Promise.all(runners.map((runner) => runner.end(graceSeconds)));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function phaseOf(runners: readonly Runner[], restartPolicy: string): string {
  const states = runners.map(({ status }) => status.state);
  if (restartPolicy === "Never" && states.every(({ terminated }) => terminated))
    return states.every(({ terminated }) => terminated!.exitCode === 0) ? "Succeeded" : "Failed";
  const began = runners.some(({ status }) => status.state.running || status.lastState.terminated);
  return began ? "Running" : "Pending";
}

/** @throws NotYet */
async function prepare(spec: ContainerSpec, options: PodOptions): Promise<Surroundings> {
  const { client, pod, ip, folder, images, cluster, hosts } = options;
  const image = images[spec.image];
  if (image === undefined) throw new NotYet("ErrImagePull", `no image ${spec.image} is here`);
  const context = { ...pod.spec.securityContext, ...spec.securityContext };
  const { runAsUser: uid = IMAGE_USER, runAsGroup: gid = uid, fsGroup } = context;
  if (context.runAsNonRoot && uid === 0)
    throw new NotYet("CreateContainerConfigError", "container has runAsNonRoot and image will run as root");
  const environment = await environmentOf(client, pod, spec, ip, cluster);
  const volumes = await prepareVolumes({ ...options, folder: join(folder, "volumes"), uid, gid: fsGroup ?? gid });
  const mounts = (spec.volumeMounts ?? []).map(({ name, mountPath, subPath, readOnly = false }) => {
    const from = volumes.get(name)!;
    return { from: subPath ? join(from, subPath) : from, to: mountPath, readOnly };
  });
  const words = [...(spec.command ?? []), ...(spec.args ?? [])];
  return {
    image,
    command: words.map((word) => expand(word, environment)),
    environment,
    mounts: [...mounts, { from: hosts, to: "/etc/hosts", readOnly: true }],
    uid,
    gid,
    groups: fsGroup === undefined ? [gid] : [gid, fsGroup],
    workingDir: spec.workingDir ?? "/",
    readOnlyRoot: context.readOnlyRootFilesystem ?? false,
    folder: join(folder, spec.name),
  };
}
