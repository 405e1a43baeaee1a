// Who and what there is in the world of world.ts.

import type * as DispatcherModule from "../../coordinator/dispatcher.ts";
import type * as MembersModule from "../../coordinator/membership/members.ts";
import type * as SessionModule from "../../coordinator/rpc/session.ts";
import type { Lease, SessionRequest, SessionResponse, Tuple } from "../../proto/gen/plume/v1/training.ts";
import { type WorkerId, workerId } from "../../shared/ids.ts";
import type { Block } from "../../shared/tensor/tree.ts";

export interface Parts {
  readonly createDispatcher: typeof DispatcherModule.createDispatcher;
  readonly createMembership: typeof MembersModule.createMembership;
  readonly createSessions: typeof SessionModule.createSessions;
}

export interface Setting {
  readonly V: number;
  readonly steps: number;
  readonly workers: number;
  readonly min: number;
  /** Every block is computed by two workers. */
  readonly audit: boolean;
  /** Index of a worker that computes wrong numbers, or -1. */
  readonly liar: number;
}

export type Action =
  | {
      readonly kind: "connect" | "pump" | "up" | "down" | "compute" | "cut" | "vanish" | "die" | "leave";
      readonly worker: number;
    }
  | { readonly kind: "claim" | "deliver" | "repeat" | "drop"; readonly push: number }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "snapshot" | "crash" | "sum" };

/** An invariant does not hold. */
export class Violation extends Error {}

type Incoming = NonNullable<SessionRequest["message"]>;
export type Outgoing = NonNullable<SessionResponse["message"]>;

/** One connection: what is on its way, and the coordinator's end of it. */
export interface Link {
  readonly id: number;
  readonly worker: number;
  readonly up: Incoming[];
  readonly down: (Outgoing | "end")[];
  /** The worker's end is gone; the coordinator may not know. */
  closed: boolean;
  readonly listeners: Map<string, (value?: unknown) => void>;
}

interface Work {
  readonly lease: Lease;
  done: number;
}

export interface SimulatedWorker {
  readonly index: number;
  instance: number;
  link: Link | null;
  queue: Work[];
  leaving: boolean;
  banned: boolean;
}

export interface Push {
  readonly worker: number;
  readonly link: number;
  readonly tuple: Tuple;
  readonly block: Block;
  readonly digest: string;
  claim: ReturnType<ReturnType<Parts["createDispatcher"]>["claim"]> | null;
  coordinator: number;
}

/** The parameters after n steps: what every correct run arrives at. */
export const paramsAfter = (n: number): string => (n === 0 ? "p" : `(${paramsAfter(n - 1)}+g${n - 1})`);
export const gradient = (step: number, { lo, hi }: Block, version: number) => `${step}:${lo}-${hi}@${version}`;

export const nameOf = (worker: number): WorkerId => workerId(`w${worker}`);

export const HEARTBEAT_MS = 100;
