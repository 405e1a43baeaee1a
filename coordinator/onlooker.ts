// Whoever watches a run from outside, or brings commands to it, over a wire of its own: the page, NATS, metrics. A run goes
// on the same without any of them.
//
// I1. What is wrong with an onlooker's settings is said before anything is written; from then on it may only miss things.

import type { Bus } from "../shared/bus/bus.ts";
import type { EventLog } from "../shared/bus/event-log.ts";
import type { RunStatus } from "../shared/bus/events.ts";
import type { Job } from "../shared/config/schema.ts";
import type { StatusReport } from "../shared/control/verbs.ts";
import type { Logger } from "../shared/log.ts";
import type { RunContext, RunFacts } from "../shared/metrics/run/source.ts";
import type { PageAddress } from "../shared/supervision.ts";
import type { Desk } from "./control/desk.ts";

/** A run as it is seen from outside. */
export interface RunView {
  readonly job: Job;
  readonly incarnation: number;
  /** The run's folder. */
  readonly folder: string;
  status(): RunStatus;
  report(): StatusReport;
  /** What a status does not say and metrics do. */
  readonly context: RunContext;
  facts(): RunFacts;
  /** host:port of each worker's metrics, of those that can be reached. */
  workerTargets(): readonly { readonly worker: string; readonly address: string }[];
  /** What was wrong before anyone could watch. */
  readonly warnings: readonly string[];
  /** Everything, measurements included, as it happens. */
  readonly bus: Bus;
  /** What is kept of it, for those who come late. */
  readonly events: EventLog;
  readonly desk: Desk;
  readonly log: Logger;
}

export interface Onlooker {
  /** Where a person finds it, once it is attached; null or absent where there is nothing to open. */
  readonly page?: PageAddress | null;
  /** Before anything is written. @throws PlumeError when it can never work as the job asks for it. */
  open(job: Job): Promise<void>;
  /** The run is about to begin. */
  attach(view: RunView): Promise<void>;
  /** Once, whether it was attached or not. */
  close(): Promise<void>;
}

/** The one that people open. */
export const pageOf = (onlookers: readonly Onlooker[]): PageAddress | null =>
  onlookers.find((onlooker) => onlooker.page)?.page ?? null;
