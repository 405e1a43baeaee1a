// What keeps a pod from running, in Kubernetes' own words. Pure.

import type { ContainerStatus, Pod } from "./objects.ts";

export interface Trouble {
  /** One word: Unschedulable, ImagePullBackOff, CrashLoopBackOff, ... */
  readonly reason: string;
  /** What the scheduler, the kubelet or the process itself said of it. */
  readonly message: string;
}

/** A container that waits for one of these will not start by itself. */
const STUCK = new Set([
  "ImagePullBackOff",
  "ErrImagePull",
  "ErrImageNeverPull",
  "InvalidImageName",
  "CreateContainerConfigError",
  "CreateContainerError",
  "RunContainerError",
  "StartError",
  "CrashLoopBackOff",
]);

/** Exit code of a mistake in the job (shared/errors.ts). */
const MISTAKE = 2;

export function troubleOf(pod: Pod): Trouble | null {
  if (pod.metadata.deletionTimestamp) return null;
  const { name } = pod.metadata;
  const scheduled = pod.status?.conditions?.find(({ type }) => type === "PodScheduled");
  if (scheduled?.status === "False")
    return { reason: scheduled.reason ?? "Unschedulable", message: `pod ${name}: ${scheduled.message ?? "no node"}` };
  for (const container of pod.status?.containerStatuses ?? []) {
    const { waiting } = container.state ?? {};
    if (!waiting?.reason || !STUCK.has(waiting.reason)) continue;
    const said = [waiting.message, lastWords(container)].filter(Boolean).join("; ");
    return { reason: waiting.reason, message: `pod ${name}: ${said || "the kubelet says no more"}` };
  }
  return null;
}

/** The first trouble of several pods, with how many have it. */
export function commonTrouble(pods: readonly Pod[]): Trouble | null {
  const troubles = pods.map(troubleOf).filter((each) => each !== null);
  const [first] = troubles;
  if (!first) return null;
  const others = troubles.filter(({ reason }) => reason === first.reason).length - 1;
  return others > 0 ? { ...first, message: `${first.message} (and ${others} pods more)` } : first;
}

/** The message of a coordinator that found a mistake in its job and is not running; null when none did. */
export function mistakeOf(pod: Pod): string | null {
  for (const { state, lastState } of pod.status?.containerStatuses ?? []) {
    const ended = state?.terminated ?? (state?.running ? undefined : lastState?.terminated);
    if (ended?.exitCode === MISTAKE) return clean(ended.message) || "it exited with code 2 and said nothing";
  }
  return null;
}

export const isRunning = (pod: Pod): boolean =>
  !pod.metadata.deletionTimestamp && (pod.status?.containerStatuses ?? []).some(({ state }) => state?.running);

export const isReady = (pod: Pod): boolean =>
  !pod.metadata.deletionTimestamp &&
  (pod.status?.conditions ?? []).some(({ type, status }) => type === "Ready" && status === "True");

function lastWords({ lastState }: ContainerStatus): string {
  const ended = lastState?.terminated;
  if (!ended) return "";
  const words = clean(ended.message);
  return `it exited with code ${ended.exitCode}${words ? `: ${words}` : ""}`;
}

/** The end of what a process wrote: the last words are the telling ones. */
const MOST = 600;
const clean = (message: string | undefined): string => (message ?? "").trim().slice(-MOST);
