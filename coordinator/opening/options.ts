// What a coordinator is given: a job, where to leave its files, and its adapters to the world.

import type { Bus } from "../../shared/bus/bus.ts";
import type { Clock } from "../../shared/clock.ts";
import type { Job } from "../../shared/config/schema.ts";
import type { PlumeError } from "../../shared/errors.ts";
import type { Logger } from "../../shared/log.ts";
import type { Plane } from "../../shared/rpc/tls/plane.ts";
import type { StoreAccess } from "../../shared/store/access.ts";
import type { ObjectStore } from "../../shared/store/object-store.ts";
import type { Tracer } from "../../shared/tracing/tracer.ts";
import type { SupervisedRun } from "../cluster/supervisor.ts";
import type { Onlooker } from "../onlooker.ts";

export interface CoordinatorOptions {
  readonly job: Job;
  readonly out: string;
  readonly listen: string;
  /** How workers and operators speak to it. */
  readonly plane: Plane;
  /** Why somebody's connection was refused. */
  readonly onRefused: (reason: string) => void;
  readonly resume: string;
  /** Fields that decide bits and may nevertheless differ from the checkpoint's. */
  readonly allow: readonly string[];
  /** This process takes the place of one that died in the middle of the run. */
  readonly recovering: boolean;
  /** What was asked of the run before this process, where that is not in the run's folder. */
  readonly asked?: { readonly workers: number | null; readonly paused: string | null };
  /** After the end it goes on answering, until this is aborted; absent where it ends with the run. */
  readonly linger?: AbortSignal;
  /** Address of its metrics and of those of its reducers, instead of monitoring.host. */
  readonly metricsHost?: string;
  readonly clock: Clock;
  readonly openStore: (url: string, access: StoreAccess) => Promise<ObjectStore>;
  readonly bus: Bus;
  readonly onlookers: readonly Onlooker[];
  readonly tracer: Tracer;
  /** Called once the inputs are found to be right. */
  readonly openLog: (incarnation: number) => Logger;
  readonly requestStop: (reason: string) => boolean;
  /** The parameters are lost with a reducer process: this process must end, and another one go on from a snapshot. */
  readonly onLost: (error: PlumeError) => void;
  /** Who starts and stops worker processes; null when nobody does. */
  readonly supervisor: {
    /** The first step of this process is committed. */
    productive(): void;
    /** Workers leave from now on because the run is over. */
    ending(): void;
    scale(replicas: number): void;
    /** A worker was expelled: if it does not come back, its process must be replaced. */
    lost(worker: string, reason: string): void;
    /** Begins to look after the workers of this run. */
    watch?(run: SupervisedRun): Promise<void>;
    /** How many are needed has changed. */
    nudge?(): void;
  } | null;
}
