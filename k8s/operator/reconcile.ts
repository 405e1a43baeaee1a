// One pass over one job: look at everything, decide, do it. Level-triggered: a pass that was cut short anywhere, by a crash as by a
// refusal, is made good by the next one, whoever makes it.

import { describeError } from "../../shared/errors.ts";
import type { Logger } from "../../shared/log.ts";
import { joinAddress } from "../../shared/rpc/transport.ts";
import type { DiffusionJobStatus } from "../crd/status.ts";
import { INSTANCE } from "../render/labels.ts";
import { type Api, ApiError } from "./api.ts";
import type { Coordinators, Place } from "./coordinators.ts";
import { decide } from "./decide.ts";
import type { createReader } from "./desired.ts";
import { driftOf, MANAGER } from "./drift.ts";
import type { DiffusionJob } from "./job.ts";
import { objectPath } from "./kinds.ts";
import type { KubernetesEvent, KubernetesObject, Node, Pod } from "./objects.ts";
import { type Action, isOf, isSame, type Observed, type OperatorOptions, type Reading, setOf } from "./observed.ts";
import type { Recorder } from "./recorder.ts";
import { type NodeState, nodeStateOf, suspectAt } from "./rescue.ts";
import { isRunning } from "./trouble.ts";
import { isMistake, writes } from "./writes.ts";

/** What is known without asking, kept up to date by watches. */
export interface View {
  job(key: string): DiffusionJob | undefined;
  /** Those that are made for a job of this name, by their labels. */
  children(namespace: string, job: string): readonly KubernetesObject[];
  pods(namespace: string, job: string): readonly Pod[];
  /** Told of its sets: pods that could not be made. */
  failures(namespace: string, job: string): readonly KubernetesEvent[];
}

export interface ReconcilerOptions {
  readonly api: Api;
  readonly view: View;
  readonly reader: ReturnType<typeof createReader>;
  readonly coordinators: Coordinators;
  readonly recorder: Recorder;
  /** As they are for the jobs that there are now. */
  readonly options: () => OperatorOptions;
  /** The world's clock: objects carry its times. */
  readonly epochMs: () => number;
  /** A status was written. */
  readonly onStatus: () => void;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Where a coordinator listens (k8s/base/coordinator.yaml). */
const GRPC_PORT = 7070;

export function createReconciler(parts: ReconcilerOptions) {
  const { api, view, reader, coordinators, recorder, options, epochMs, onStatus, log, signal } = parts;
  const { applyObject, applyStatus } = writes(api, signal);
  const written = new Map<string, number>();
  const refusals = new Map<string, string>();
  /** Objects that differ right after an apply: the server writes a value in its own way. */
  const settled = new Map<string, string>();

  const observe = async (job: DiffusionJob): Promise<Observed & { readonly place: Place | null }> => {
    const { name, namespace = "default", uid = "" } = job.metadata;
    const pods = view.pods(namespace, name);
    const reading = reader.read(job);
    const place = placeOf(job, pods, view.children(namespace, name));
    const said = await coordinators.status(uid, place);
    return {
      place,
      job,
      reading,
      children: await withStrangers(reading, view.children(namespace, name)),
      pods,
      failures: view.failures(namespace, name),
      nodes: await nodesOf(pods),
      said,
      save: coordinators.saveOf(uid),
      refused: refusals.get(uid) ?? null,
      statusWrittenMs: written.get(uid) ?? null,
    };
  };

  /** An object may be there without the labels that the watches select by: nothing is taken over unseen. */
  const withStrangers = async (
    reading: Reading,
    seen: readonly KubernetesObject[],
  ): Promise<readonly KubernetesObject[]> => {
    if (reading.kind === "invalid") return seen;
    const missing = reading.objects.filter((object) => !seen.some((each) => isSame(each, object)));
    const found = await Promise.all(missing.map((object) => get<KubernetesObject>(objectPath(object))));
    return [...seen, ...found.filter((each) => each !== null)];
  };

  const get = async <T>(path: string): Promise<T | null> => {
    try {
      return await api.call<T>({ method: "GET", path }, signal);
    } catch (error) {
      if (error instanceof ApiError && error.code === 404) return null;
      throw error;
    }
  };

  /** Of nodes whose pods do not go. */
  const nodesOf = async (pods: readonly Pod[]): Promise<ReadonlyMap<string, NodeState>> => {
    const late = pods.filter((pod) => suspectAt(pod, options()) <= epochMs());
    const names = [...new Set(late.flatMap(({ spec }) => spec.nodeName ?? []))];
    return new Map(await Promise.all(names.map(async (name) => [name, await nodeState(name)] as const)));
  };

  const nodeState = async (name: string): Promise<NodeState> => {
    try {
      const node = await get<Node>(`/api/v1/nodes/${name}`);
      return node === null ? { kind: "absent" } : nodeStateOf(node);
    } catch (error) {
      if (error instanceof ApiError && error.code === 403) return { kind: "unknown" };
      throw error;
    }
  };

  const act = async (job: DiffusionJob, action: Action, place: Place | null): Promise<void> => {
    const { uid = "" } = job.metadata;
    if (action.kind === "save") {
      if (place !== null) coordinators.save(uid, place);
      return;
    }
    const { kind, metadata } = action.object;
    if (action.kind === "scale") {
      await scale(action.object, action.replicas);
      return;
    }
    if (action.kind === "apply") {
      if (await apply(action.object))
        log.info({ job: job.metadata.name, kind, name: metadata.name, reason: action.reason }, "applied");
      return;
    }
    await remove(action.object, action.force);
    log.info({ job: job.metadata.name, kind, name: metadata.name, reason: action.reason }, "deleted");
  };

  /** @returns false where it was just as it is now after the last apply. */
  const apply = async (object: KubernetesObject): Promise<boolean> => {
    const path = objectPath(object);
    const is = view
      .children(object.metadata.namespace ?? "default", object.metadata.labels?.[INSTANCE] ?? "")
      .find((each) => isSame(each, object));
    if (is && settled.get(path) === fingerprint(object, is)) return false;
    const applied = await applyObject(object);
    const drift = driftOf(object, applied);
    if (drift === null) {
      settled.delete(path);
      return true;
    }
    log.warn({ kind: object.kind, name: object.metadata.name, drift }, "the API server writes a field in its own way");
    settled.set(path, fingerprint(object, applied));
    return true;
  };

  const scale = async (object: KubernetesObject, replicas: number): Promise<void> => {
    const path = `${objectPath(object)}/scale`;
    const contentType = "application/merge-patch+json";
    const body = { spec: { replicas } };
    await api.call({ method: "PATCH", path, query: { fieldManager: MANAGER }, contentType, body }, signal);
  };

  const remove = async (object: KubernetesObject, force: boolean): Promise<void> => {
    const { uid, resourceVersion } = object.metadata;
    // Only this very one; a job that expires only if nobody has changed it meanwhile.
    const preconditions = { uid, ...(object.kind === "DiffusionJob" && { resourceVersion }) };
    const body = {
      apiVersion: "v1",
      kind: "DeleteOptions",
      preconditions,
      propagationPolicy: "Background",
      ...(force && { gracePeriodSeconds: 0 }),
    };
    try {
      await api.call({ method: "DELETE", path: objectPath(object), body }, signal);
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 404) throw error;
    }
  };

  const writeStatus = async (job: DiffusionJob, status: DiffusionJobStatus): Promise<void> => {
    await applyStatus(job, status);
    written.set(job.metadata.uid ?? "", epochMs());
    onStatus();
  };

  const forget = (uid: string) => {
    written.delete(uid);
    refusals.delete(uid);
    coordinators.forget(uid);
    reader.forget(uid);
  };

  /** uids by key, to forget by. */
  const known = new Map<string, string>();

  /** @returns milliseconds until it wants attention again; null for not before something happens. */
  return async (key: string): Promise<number | null> => {
    const job = view.job(key);
    const uid = job?.metadata.uid;
    const before = known.get(key);
    if (before !== undefined && before !== uid) forget(before);
    if (!job || uid === undefined) {
      known.delete(key);
      return null;
    }
    known.set(key, uid);
    if (!job.spec.suspend) coordinators.goesOn(uid);

    const observed = await observe(job);
    const decision = decide(epochMs(), observed, options());
    let refused: ApiError | null = null;
    for (const action of decision.actions) {
      try {
        await act(job, action, observed.place);
      } catch (error) {
        if (!isMistake(error) || action.kind !== "apply") throw error;
        refused = error;
        const { kind, metadata } = action.object;
        refusals.set(uid, `the API server refuses ${kind} ${metadata.name}: ${describeError(error)}`);
        break;
      }
    }
    if (refused) {
      await conclude(job, decide(epochMs(), { ...observed, refused: refusals.get(uid)! }, options()));
      throw refused;
    }
    refusals.delete(uid);
    await conclude(job, decision);
    return decision.requeueAfterMs;
  };

  async function conclude(job: DiffusionJob, { status, events }: ReturnType<typeof decide>): Promise<void> {
    if (status) await writeStatus(job, status);
    // After the status: what a pass without one says would be said by every pass.
    for (const event of events) await recorder.tell(job, event);
  }
}

/** Of the coordinator's pod, where one runs: its own address, because a name may still lead to the one before. */
function placeOf(job: DiffusionJob, pods: readonly Pod[], children: readonly KubernetesObject[]): Place | null {
  const pod = pods.find((each) => isOf(each, "coordinator") && isRunning(each));
  const ip = pod?.status?.podIP;
  if (!ip) return null;
  const [container] = setOf(children, "coordinator")?.spec.template.spec.containers ?? [];
  const isCertified = container?.env?.some(({ name }) => name === "PLUME_TLS") ?? false;
  // The name by which its workers call it.
  return { address: joinAddress(ip, GRPC_PORT), name: isCertified ? `${job.metadata.name}-coordinator` : null };
}

/** Both of them, without what changes by itself. */
function fingerprint(desired: KubernetesObject, is: KubernetesObject): string {
  const { resourceVersion: _, managedFields: __, ...metadata } = is.metadata;
  return JSON.stringify([desired, { ...is, metadata, status: null }]);
}
