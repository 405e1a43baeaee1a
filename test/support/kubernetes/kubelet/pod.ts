// A pod on a node: its address, its volumes, its containers; what the API is told of them.

import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { IMAGE_USER, type Surroundings } from "../../container.ts";
import type { Client } from "./client.ts";
import { environmentOf, expand, NotYet } from "./environment.ts";
import type { Network } from "./network.ts";
import type { Condition, ContainerSpec, Pod, PodStatus, RestartPolicy } from "./objects.ts";
import { createRunner, type Runner } from "./runner.ts";
import { type Sandbox, startSandbox } from "./sandbox.ts";
import { memoryVolumes, prepareVolumes, refreshVolumes, tokenFor, type VolumeOptions } from "./volumes.ts";

export interface PodOptions {
  readonly client: Client;
  readonly pod: Pod;
  readonly network: Network;
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
  /** A process in its network. */
  readonly sandbox: Promise<number>;
  readonly ready: boolean;
  readonly runners: readonly Runner[];
  sync(): void;
  /** Maps that were changed since reach the volumes. */
  refresh(): Promise<void>;
  /** Of the pod as the API has it. */
  statusFor(pod: Pod): PodStatus;
  /** SIGTERM, then SIGKILL; with a grace of 0 SIGKILL at once. Resolves when nothing of it runs. */
  end(graceSeconds: number): Promise<void>;
  /** With its node: its network is gone, or is back. */
  connect(on: boolean): void;
  /** With its node: SIGKILL, and nobody is told. */
  die(): void;
}

export function createPod(options: PodOptions): RunningPod {
  const { pod, network, folder } = options;
  const { name, namespace, uid } = pod.metadata;
  const { restartPolicy = "Always", terminationGracePeriodSeconds = 30, containers, initContainers = [] } = pod.spec;
  const startTime = new Date().toISOString();
  mkdirSync(folder, { recursive: true });
  const ip = network.next();
  const hostname = pod.spec.hostname ?? name;
  let token: Promise<string> | null = null;
  const volumeOptions = {
    ...options,
    ip,
    folder: join(folder, "volumes"),
    token: () => {
      token ??= tokenFor(options.client, pod);
      token.catch(() => {
        token = null;
      });
      return token;
    },
  };
  const sandbox = startSandbox({ network, ip, hostname, memory: memoryVolumes(pod, volumeOptions.folder) });
  const runnerOf = (spec: ContainerSpec, restart: RestartPolicy) =>
    createRunner({
      spec,
      title: `${name}_${namespace}(${uid})`,
      ip,
      graceSeconds: terminationGracePeriodSeconds,
      restart,
      waiting: initContainers.length > 0 ? "PodInitializing" : "ContainerCreating",
      prepare: () => prepare(spec, sandbox, volumeOptions, options),
    });
  const firsts = initContainers.map((spec) => {
    if (spec.restartPolicy !== undefined)
      throw new Error(`the process kubelet has no sidecars: ${spec.name} of ${namespace}/${name}`);
    return runnerOf(spec, restartPolicy === "Never" ? "Never" : "OnFailure");
  });
  const mains = containers.map((spec) => runnerOf(spec, restartPolicy));
  const runners = [...firsts, ...mains];
  const isReady = () => mains.every(({ status }) => status.ready);
  const conditionOf = createConditions();
  let ended = false;

  return {
    ip,
    sandbox: sandbox.pid,
    runners,
    get ready() {
      return isReady();
    },
    sync() {
      const next = firsts.find((first) => !hasSucceeded(first));
      if (next) next.sync();
      else for (const main of mains) main.sync();
    },
    refresh: () => refreshVolumes(volumeOptions),
    statusFor({ status: before }) {
      const ours = [
        conditionOf("PodScheduled", true),
        conditionOf("Initialized", firsts.every(hasSucceeded)),
        conditionOf("ContainersReady", isReady()),
        conditionOf("Ready", isReady()),
      ];
      const others = (before?.conditions ?? []).filter(({ type }) => ours.every((each) => each.type !== type));
      return {
        phase: phaseOf(firsts, mains, ended),
        podIP: ip,
        podIPs: [{ ip }],
        hostIP: network.address,
        startTime,
        conditions: [...ours, ...others],
        ...(firsts.length > 0 && { initContainerStatuses: firsts.map(({ status }) => status) }),
        containerStatuses: mains.map(({ status }) => status),
      };
    },
    connect: (on) => sandbox.connect(on),
    die() {
      for (const runner of runners) void runner.end(0);
      sandbox.kill();
    },
    async end(graceSeconds) {
      await Promise.all(runners.map((runner) => runner.end(graceSeconds)));
      ended = true;
      sandbox.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A condition's time is that of its last change. */
function createConditions(): (type: string, holds: boolean) => Condition {
  const known = new Map<string, Condition>();
  return (type, holds) => {
    const status = holds ? "True" : "False";
    const before = known.get(type);
    if (before?.status === status) return before;
    const condition: Condition = { type, status, lastTransitionTime: new Date().toISOString() };
    known.set(type, condition);
    return condition;
  };
}

const hasSucceeded = ({ isOver, status }: Runner): boolean => isOver && status.state.terminated!.exitCode === 0;
const hasFailed = ({ isOver, status }: Runner): boolean => isOver && status.state.terminated!.exitCode !== 0;

function phaseOf(firsts: readonly Runner[], mains: readonly Runner[], ended: boolean): string {
  if (firsts.some(hasFailed)) return "Failed";
  if (ended || mains.every(({ isOver }) => isOver)) return mains.every(hasSucceeded) ? "Succeeded" : "Failed";
  const began = mains.some(
    ({ status: { state, lastState } }) => state.running ?? state.terminated ?? lastState.terminated,
  );
  return began ? "Running" : "Pending";
}

/** @throws NotYet */
async function prepare(
  spec: ContainerSpec,
  sandbox: Sandbox,
  volumeOptions: VolumeOptions,
  options: PodOptions,
): Promise<Surroundings> {
  const { client, pod, folder, images, cluster, hosts } = options;
  const image = images[spec.image];
  if (image === undefined) throw absent(spec);
  const context = { ...pod.spec.securityContext, ...spec.securityContext };
  const { runAsUser: uid = IMAGE_USER, runAsGroup: gid = uid, fsGroup } = context;
  if (context.runAsNonRoot && uid === 0)
    throw new NotYet("CreateContainerConfigError", "container has runAsNonRoot and image will run as root");
  const environment = await environmentOf(client, pod, spec, volumeOptions.ip, cluster);
  const volumes = await prepareVolumes(volumeOptions);
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
    sandbox: await sandbox.pid,
  };
}

/** As containerd says it. */
function absent({ image, imagePullPolicy }: ContainerSpec): NotYet {
  if (imagePullPolicy === "Never")
    return new NotYet("ErrImageNeverPull", `Container image "${image}" is not present with pull policy of Never`);
  return new NotYet(
    "ErrImagePull",
    `failed to pull and unpack image "${image}": failed to resolve reference "${image}": not found`,
  );
}
