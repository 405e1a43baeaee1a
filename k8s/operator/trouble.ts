// What keeps a pod from being made, or from running, in Kubernetes' own words and with what to do about it. Pure.

import { COMPONENT } from "../render/labels.ts";
import type { ContainerStatus, KubernetesEvent, Pod, StatefulSet } from "./objects.ts";
import type { Component } from "./observed.ts";
import { withRemedy } from "./remedies.ts";

export interface Trouble {
  /** One word: Unschedulable, ImagePullBackOff, CrashLoopBackOff, FailedCreate, ... */
  readonly reason: string;
  /** What the scheduler, the kubelet, admission or the process itself said of it, and the remedy where one is known. */
  readonly message: string;
}

/** A container that waits for one of these will not start by itself. Two that take turns are one trouble. */
const STUCK: Readonly<Record<string, string>> = {
  ImagePullBackOff: "ImagePullBackOff",
  ErrImagePull: "ImagePullBackOff",
  ErrImageNeverPull: "ErrImageNeverPull",
  InvalidImageName: "InvalidImageName",
  CreateContainerConfigError: "CreateContainerConfigError",
  CreateContainerError: "CreateContainerError",
  RunContainerError: "RunContainerError",
  StartError: "StartError",
  CrashLoopBackOff: "CrashLoopBackOff",
};

/** Exit code of a mistake in the job (shared/errors.ts). */
const MISTAKE = 2;

/** @param before the trouble that was last told of such a pod: a crash loop does not end each time its container is tried again. */
export function troubleOf(pod: Pod, before: string | undefined): Trouble | null {
  if (pod.metadata.deletionTimestamp) return null;
  const { name } = pod.metadata;
  const told = (reason: string, said: string): Trouble => ({
    reason,
    message: withRemedy(`pod ${name}: ${said}`, componentOf(pod)),
  });
  const scheduled = pod.status?.conditions?.find(({ type }) => type === "PodScheduled");
  if (scheduled?.status === "False")
    return told(scheduled.reason ?? "Unschedulable", scheduled.message ?? "there is no node for it");
  for (const container of pod.status?.containerStatuses ?? []) {
    const { waiting } = container.state ?? {};
    const stuck = STUCK[waiting?.reason ?? ""];
    if (stuck) {
      const said = [waiting?.message, lastWords(container)].filter(Boolean).join("; ");
      const word = stuck === "CrashLoopBackOff" ? "" : `${waiting?.reason}: `;
      return told(stuck, `${word}${said || "the kubelet says no more"}`);
    }
    if (before === "CrashLoopBackOff" && !isReady(pod) && lastWords(container))
      return told(before, `it is tried again; ${lastWords(container)}`);
  }
  return null;
}

/** The first trouble of several pods, with how many have it. */
export function commonTrouble(pods: readonly Pod[], before: string | undefined): Trouble | null {
  const troubles = pods.map((pod) => troubleOf(pod, before)).filter((each) => each !== null);
  const [first] = troubles;
  if (!first) return null;
  const others = troubles.filter(({ reason }) => reason === first.reason).length - 1;
  return others > 0 ? { ...first, message: `${first.message} (and ${others} pods more)` } : first;
}

/**
 * Why a set has fewer pods than it should: admission refuses them. The controller tells it in events alone, which stay when it is
 * over: one counts while the set itself says that pods are missing, and the pod that it speaks of is.
 */
export function uncreatedTrouble(
  set: StatefulSet | undefined,
  pods: readonly Pod[],
  events: readonly KubernetesEvent[],
): Trouble | null {
  if (!set) return null;
  const { replicas: wanted = 1 } = set.spec;
  const { replicas: made = 0, observedGeneration } = set.status ?? {};
  if (made >= wanted || observedGeneration !== set.metadata.generation) return null;
  const newest = events
    .filter(({ involvedObject }) => involvedObject.uid === set.metadata.uid)
    .filter(
      ({ message }) => !pods.some(({ metadata }) => metadata.name === /\bPod (\S+) in\b/.exec(message ?? "")?.[1]),
    )
    .sort((a, b) => timeOf(b) - timeOf(a))[0];
  if (!newest) return null;
  const cause = (newest.message ?? "").replace(/^.*? failed error: /s, "");
  const said = `StatefulSet ${set.metadata.name} has ${made} of ${wanted} pods: ${cause}`;
  return { reason: "FailedCreate", message: withRemedy(said, componentOf(set)) };
}

const timeOf = ({ lastTimestamp, eventTime }: KubernetesEvent): number =>
  Date.parse(lastTimestamp ?? eventTime ?? "") || 0;

const componentOf = ({ metadata }: Pod | StatefulSet): Component =>
  metadata.labels?.[COMPONENT] === "coordinator" ? "coordinator" : "worker";

/** The message of a coordinator that found a mistake in its job and is not running; null when none did. */
export function mistakeOf(pod: Pod): string | null {
  for (const { state, lastState } of pod.status?.containerStatuses ?? []) {
    const ended = state?.terminated ?? (state?.running ? undefined : lastState?.terminated);
    if (ended?.exitCode === MISTAKE) return spoken(ended.message) || "it exited with code 2 and said nothing";
  }
  return null;
}

export const isRunning = (pod: Pod): boolean =>
  !pod.metadata.deletionTimestamp && (pod.status?.containerStatuses ?? []).some(({ state }) => state?.running);

export const isReady = (pod: Pod): boolean =>
  !pod.metadata.deletionTimestamp &&
  (pod.status?.conditions ?? []).some(({ type, status }) => type === "Ready" && status === "True");

/** How the life before the present one ended; empty where that was well, or there was none. */
function lastWords({ state, lastState }: ContainerStatus): string {
  const ended = state?.terminated ?? lastState?.terminated;
  if (!ended || ended.exitCode === 0) return "";
  const { exitCode, reason, message } = ended;
  const why = reason && reason !== "Error" ? ` (${reason})` : "";
  const words = spoken(message);
  return `it exited with code ${exitCode}${why}${words ? `: ${words}` : ""}`;
}

/** The last words are the telling ones. */
const MOST = 600;
/** A line of the log, whole or cut off at its beginning: for machines. */
const LOGGED = /^\{"|":.*\}$/;

/** The end of what a process wrote, without its log where it said something beside it. */
function spoken(message: string | undefined): string {
  const lines = (message ?? "").split("\n").filter((line) => line.trim() !== "");
  const said = lines.filter((line) => !LOGGED.test(line));
  return (said.length > 0 ? said : lines).join("\n").trim().slice(-MOST);
}
