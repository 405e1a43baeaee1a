// What may be asked of a running job, whatever wire the question comes by: gRPC, NATS or HTTP. One table of verbs with
// what each takes; one form of reply.
//
// I1. A request has an id. Asked again with the same id it is answered again, not carried out again.
// I2. Every request is answered once: with its result, or with an error that says what to do.

import { z } from "zod";
import type { Recovery, RunStatus } from "../bus/events.ts";
import type { ErrorCode } from "../errors.ts";

export const VERBS = {
  status: { takes: z.strictObject({}), changes: false },
  pause: { takes: z.strictObject({}), changes: true },
  resume: { takes: z.strictObject({}), changes: true },
  stop: { takes: z.strictObject({ reason: z.string().max(500).optional() }), changes: true },
  checkpoint: { takes: z.strictObject({}), changes: true },
  scale: { takes: z.strictObject({ replicas: z.int().min(1).max(1024) }), changes: true },
} as const;

export type Verb = keyof typeof VERBS;
export type Arguments<V extends Verb> = z.infer<(typeof VERBS)[V]["takes"]>;

export interface Decision {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** What was decided, one word: join, suspect, expel, lease, speculate, audit, pause, resume, scale, recover, ... */
  readonly decision: string;
  /** On whom or what. */
  readonly subject: string;
  readonly reason: string;
}

interface NewestCheckpoint {
  readonly step: number;
  /** file:// or s3:// */
  readonly url: string;
  /** Milliseconds since the epoch when it was durable; 0 where an earlier coordinator wrote it. */
  readonly atMs: number;
}

export interface StatusReport extends RunStatus {
  /** The newest, oldest first. */
  readonly recoveries: readonly Recovery[];
  readonly decisions: readonly Decision[];
  /** Durable, in the job's store; null before there is one. */
  readonly checkpoint: NewestCheckpoint | null;
  /** Of the final weights; null before the end. */
  readonly weightsSha256: string | null;
  /** Of their average. */
  readonly emaSha256: string | null;
  /** Why the newest checkpoint is not in the store: it failed, or is tried again; null when nothing is the matter. */
  readonly unsaved: string | null;
  /** It has ended, answers on, and will not go on by itself. */
  readonly over: boolean;
}

export interface Results {
  readonly status: StatusReport;
  readonly pause: { readonly alreadyPaused: boolean };
  readonly resume: { readonly wasPaused: boolean };
  readonly stop: { readonly alreadyStopping: boolean };
  /** The step whose checkpoint is written. */
  readonly checkpoint: { readonly step: number };
  readonly scale: { readonly before: number; readonly replicas: number };
}

export interface ControlRequest {
  readonly id: string;
  readonly verb: string;
  readonly args: unknown;
  /** The wire it came by, and who sent it where that is known. */
  readonly by: string;
}

interface ControlError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy: string | null;
}

export type ControlReply<V extends Verb = Verb> = { readonly id: string; readonly verb: string } & (
  | { readonly ok: true; readonly result: Results[V] }
  | { readonly ok: false; readonly error: ControlError }
);
