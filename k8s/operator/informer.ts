// What the API server has of one kind, kept up to date: a list, then a watch from where the list was, for ever.
//
// I1. A watch that ends is taken up where it was; one that failed, or whose place is forgotten (410), begins with a list. What
//     changed in between is found by comparing.
// I2. A failure is waited out, longer each time up to a bound, and never thrown at anybody.
// I3. An optional kind that the cluster has no definition of is waited for, in silence.
// I4. Whoever listens is told of objects, and does no work in the telling.

import { sleep } from "../../shared/clock.ts";
import type { Logger } from "../../shared/log.ts";
import { INSTANCE } from "../render/labels.ts";
import { type Api, ApiError } from "./api.ts";
import { keptOf } from "./kept.ts";
import { apiVersionOf, collectionPath, type KindName } from "./kinds.ts";
import type { KubernetesObject } from "./objects.ts";

export interface InformerOptions {
  readonly api: Api;
  readonly kind: KindName;
  /** null for all of them. */
  readonly namespace: string | null;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** A cluster may have no definition of this kind. */
  readonly isOptional?: boolean;
  /** Namespace and name of the job that an object is about, with a slash between; by its label when absent. */
  readonly jobOf?: (object: KubernetesObject) => string | null;
  /** An object came, changed or went. @param job that it is about. */
  readonly onChange: (object: KubernetesObject, job: string | null) => void;
  /** A list or a watch failed and is tried again. */
  readonly onError: (error: unknown) => void;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export interface Informer {
  get(namespace: string, name: string): KubernetesObject | undefined;
  all(): Iterable<KubernetesObject>;
  readonly size: number;
  /** Those that are about a job. */
  ofJob(namespace: string, job: string): readonly KubernetesObject[];
  /** Resolves once the first list is in. */
  readonly synced: Promise<void>;
  /** Resolves after the signal. */
  readonly done: Promise<void>;
}

interface List {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: readonly KubernetesObject[];
}

interface WatchLine {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: KubernetesObject & { readonly code?: number; readonly message?: string; readonly reason?: string };
}

const PAGE = 500;
/** The server ends a watch after so long, so that a lost one is not lost for ever. */
const WATCH_SECONDS = 120;
const FIRST_WAIT_MS = 100;
const LAST_WAIT_MS = 20_000;

export function startInformer(options: InformerOptions): Informer {
  const {
    api,
    kind,
    namespace,
    labelSelector,
    fieldSelector,
    isOptional = false,
    jobOf = labelledJob,
    onChange,
    onError,
    log,
    signal,
  } = options;
  const path = collectionPath(kind, namespace);
  const query = {
    ...(labelSelector !== undefined && { labelSelector }),
    ...(fieldSelector !== undefined && { fieldSelector }),
  };
  const objects = new Map<string, KubernetesObject>();
  const byJob = new Map<string, Set<string>>();
  let onSynced = () => {};
  const synced = new Promise<void>((resolve) => {
    onSynced = resolve;
  });

  /** Items of a list have no kind of their own. */
  const typed = (item: KubernetesObject) => keptOf({ ...item, apiVersion: apiVersionOf(kind), kind });

  const list = async (): Promise<string> => {
    const found = new Map<string, KubernetesObject>();
    let next: string | undefined;
    let version = "";
    do {
      const page = { ...query, limit: `${PAGE}`, ...(next && { continue: next }) };
      const { metadata, items } = await api.call<List>({ method: "GET", path, query: page }, signal);
      for (const item of items) found.set(keyOf(item), typed(item));
      next = metadata.continue || undefined;
      version = metadata.resourceVersion;
    } while (next);
    for (const [key, object] of objects) if (!found.has(key)) drop(key, object);
    for (const object of found.values()) keep(object);
    onSynced();
    return version;
  };

  const keep = (object: KubernetesObject) => {
    const key = keyOf(object);
    const before = objects.get(key);
    if (before?.metadata.resourceVersion === object.metadata.resourceVersion) return;
    if (before) index(before, (keys) => keys.delete(key));
    objects.set(key, object);
    index(object, (keys) => keys.add(key));
    onChange(object, jobOf(object));
  };

  const index = (object: KubernetesObject, change: (keys: Set<string>) => void) => {
    const job = jobOf(object);
    if (job === null) return;
    const keys = byJob.get(job) ?? new Set<string>();
    change(keys);
    if (keys.size > 0) byJob.set(job, keys);
    else byJob.delete(job);
  };

  const drop = (key: string, object: KubernetesObject) => {
    const before = objects.get(key);
    objects.delete(key);
    if (before) index(before, (keys) => keys.delete(key));
    onChange(object, jobOf(object));
  };

  /** @returns where it ended. */
  const watch = async (from: string): Promise<string> => {
    let version = from;
    const watching = {
      ...query,
      watch: "true",
      allowWatchBookmarks: "true",
      timeoutSeconds: `${WATCH_SECONDS}`,
      resourceVersion: version,
    };
    for await (const line of api.lines({ method: "GET", path, query: watching }, signal)) {
      const { type, object } = JSON.parse(line) as WatchLine;
      if (type === "ERROR") throw new ApiError(object.code ?? 500, object.reason ?? "Unknown", object.message ?? line);
      version = object.metadata.resourceVersion ?? version;
      if (type === "DELETED") drop(keyOf(object), object);
      else if (type !== "BOOKMARK") keep(typed(object));
    }
    return version;
  };

  const run = async () => {
    let version: string | null = null;
    let waitMs = FIRST_WAIT_MS;
    while (!signal.aborted) {
      try {
        version ??= await list();
        waitMs = FIRST_WAIT_MS;
        version = await watch(version);
      } catch (error) {
        if (signal.aborted) return;
        version = null;
        if (error instanceof ApiError && error.code === 410) continue;
        if (!(isOptional && error instanceof ApiError && error.code === 404)) {
          onError(error);
          log.warn({ kind, reason: String(error), againMs: waitMs }, "the watch failed and begins again");
        }
        await sleep(waitMs, signal).catch(() => {});
        waitMs = Math.min(2 * waitMs, LAST_WAIT_MS);
      }
    }
  };

  return {
    get: (ns, name) => objects.get(`${ns}/${name}`),
    all: () => objects.values(),
    get size() {
      return objects.size;
    },
    ofJob: (ns, job) => [...(byJob.get(`${ns}/${job}`) ?? [])].map((key) => objects.get(key)!),
    synced,
    done: run(),
  };
}

const labelledJob = ({ metadata }: KubernetesObject): string | null => {
  const name = metadata.labels?.[INSTANCE];
  return name === undefined ? null : `${metadata.namespace}/${name}`;
};

/** Namespace and name, with a slash between. */
export const keyOf = ({ metadata }: KubernetesObject): string => `${metadata.namespace ?? ""}/${metadata.name}`;
