// What the operator decides on: a job and everything that is known of it at one moment, and what it may do about it.

import type { Job } from "../../shared/config/schema.ts";
import type { StatusReport } from "../../shared/control/verbs.ts";
import type { DiffusionJobStatus } from "../crd/status.ts";
import { COMPONENT } from "../render/labels.ts";
import type { DiffusionJob } from "./job.ts";
import type { KubernetesEvent, KubernetesObject, Pod, StatefulSet } from "./objects.ts";
import type { NodeState } from "./rescue.ts";

/** The job file in the object, and the objects that it asks for, or what is wrong with it. */
export type Reading =
  | { readonly kind: "valid"; readonly job: Job; readonly objects: readonly KubernetesObject[] }
  | { readonly kind: "invalid"; readonly message: string };

/** What the coordinator answered. */
export type Said =
  | { readonly kind: "answered"; readonly report: StatusReport }
  | { readonly kind: "silent"; readonly reason: string }
  /** Its pod does not run. */
  | { readonly kind: "unasked" };

/** A checkpoint that was asked for because the job is to be suspended. */
export type Save =
  | { readonly kind: "none" }
  | { readonly kind: "pending" }
  | { readonly kind: "saved"; readonly step: number }
  | { readonly kind: "failed"; readonly reason: string; readonly atMs: number };

export interface Observed {
  readonly job: DiffusionJob;
  readonly reading: Reading;
  /** Those that are there, of the objects that are made for a job of this name. */
  readonly children: readonly KubernetesObject[];
  readonly pods: readonly Pod[];
  /** Told of its sets: pods that could not be made. */
  readonly failures: readonly KubernetesEvent[];
  /** Of nodes whose pods seem stuck. */
  readonly nodes: ReadonlyMap<string, NodeState>;
  readonly said: Said;
  readonly save: Save;
  /** An apply that the API server refused, and will again. */
  readonly refused: string | null;
  readonly statusWrittenMs: number | null;
}

export interface OperatorOptions {
  /** Least time between two writes of a status in which only numbers change. */
  readonly statusEveryMs: number;
  /** Between two questions to a coordinator. */
  readonly pollMs: number;
  /** After a checkpoint that failed, before the next try. */
  readonly saveAgainMs: number;
  readonly stuckMs: number;
  readonly nodeGraceMs: number;
}

export type Action =
  | { readonly kind: "apply"; readonly object: KubernetesObject; readonly reason: string }
  | {
      readonly kind: "delete";
      readonly object: KubernetesObject;
      /** Without waiting for its node. */
      readonly force: boolean;
      readonly reason: string;
    }
  /** The number of pods of a set, and nothing else of it. */
  | { readonly kind: "scale"; readonly object: KubernetesObject; readonly replicas: number; readonly reason: string }
  /** Ask the coordinator for a checkpoint; it takes its time. */
  | { readonly kind: "save" };

/** For a person: `kubectl describe`, `kubectl events`. */
export interface JobEvent {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
}

export interface Decision {
  readonly actions: readonly Action[];
  /** To be written; null when there is nothing to write now. */
  readonly status: DiffusionJobStatus | null;
  readonly events: readonly JobEvent[];
  /** null: not before something happens. */
  readonly requeueAfterMs: number | null;
}

export type Component = "coordinator" | "worker";

export const isOf = (object: KubernetesObject, component: Component): boolean =>
  object.metadata.labels?.[COMPONENT] === component;

export const setOf = (objects: readonly KubernetesObject[], component: Component): StatefulSet | undefined =>
  objects.find((object) => object.kind === "StatefulSet" && isOf(object, component)) as StatefulSet | undefined;

/** Names of the ConfigMaps that a pod or a template mounts. */
export const configMapsOf = (spec: Pod["spec"]): readonly string[] =>
  (spec.volumes ?? []).flatMap(({ configMap }) => configMap?.name ?? []);

export const isSame = (a: KubernetesObject, b: KubernetesObject): boolean =>
  a.kind === b.kind && a.apiVersion === b.apiVersion && a.metadata.name === b.metadata.name;
