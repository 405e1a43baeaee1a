// Leading, and being told that one leads no more: the shell around election.ts.

import { sleep } from "../../shared/clock.ts";
import type { Logger } from "../../shared/log.ts";
import { type Api, ApiError } from "./api.ts";
import { decideLease, type ElectionOptions, isLost, type LeaseRecord, type Sighting, sighted } from "./election.ts";
import { apiVersionOf, collectionPath } from "./kinds.ts";
import type { KubernetesObject } from "./objects.ts";

export interface LeaseOptions {
  readonly api: Api;
  readonly namespace: string;
  readonly name: string;
  readonly election: ElectionOptions;
  readonly everyMs: number;
  /** On this process's clock. */
  readonly now: () => number;
  readonly epochMs: () => number;
  readonly log: Logger;
}

export interface Leadership {
  /** Aborted when it is lost. */
  readonly signal: AbortSignal;
  /** Gives it back, so that the next one need not wait. */
  release(): Promise<void>;
}

interface Lease extends KubernetesObject {
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly renewTime?: string;
    readonly leaseDurationSeconds?: number;
    readonly leaseTransitions?: number;
    readonly acquireTime?: string;
  };
}

/** Waits until this process leads. @throws the signal's reason. */
export async function lead(options: LeaseOptions, signal: AbortSignal): Promise<Leadership> {
  const { api, namespace, name, election, everyMs, now, epochMs, log } = options;
  const collection = collectionPath("Lease", namespace);
  const path = `${collection}/${name}`;
  let sighting: Sighting | null = null;
  /** As the server has it since this process wrote it, unless somebody else did since: then it refuses the next one. */
  let written: Lease | null = null;

  const read = async (stop: AbortSignal): Promise<Lease | null> => {
    try {
      return await api.call<Lease>({ method: "GET", path }, stop);
    } catch (error) {
      if (error instanceof ApiError && error.code === 404) return null;
      throw error;
    }
  };

  const write = (before: Lease | null, holder: string, transitions: number, stop: AbortSignal): Promise<Lease> => {
    const time = microTime(epochMs());
    const acquireTime = before?.spec?.holderIdentity === holder ? (before.spec.acquireTime ?? time) : time;
    const body = {
      apiVersion: apiVersionOf("Lease"),
      kind: "Lease",
      // With the version that was read: of two that take it, the server refuses one. What others noted on it stays.
      metadata: { ...before?.metadata, name, namespace },
      spec: {
        holderIdentity: holder,
        leaseDurationSeconds: Math.round(election.leaseMs / 1000),
        acquireTime,
        renewTime: time,
        leaseTransitions: transitions,
      },
    };
    return before
      ? api.call<Lease>({ method: "PUT", path, body }, stop)
      : api.call<Lease>({ method: "POST", path: collection, body }, stop);
  };

  /** @returns whether this process leads now. */
  const turn = async (stop: AbortSignal): Promise<boolean> => {
    const lease = written ?? (await read(stop));
    written = null;
    sighting = sighted(now(), sighting, recordOf(lease));
    const decision = decideLease(now(), sighting, election);
    if (decision.kind === "wait") return false;
    written = await write(lease, election.me, decision.transitions, stop);
    if (decision.kind === "take") log.info({ reason: decision.reason }, "leading");
    return true;
  };

  const renew = (stop: AbortSignal): Promise<boolean> =>
    turn(stop).catch((error) => {
      if (error instanceof ApiError && error.code === 409) return turn(stop);
      throw error;
    });

  for (;;) {
    const leads = await turn(signal).catch((error) => {
      if (!signal.aborted) log.warn({ reason: String(error) }, "the lease cannot be had");
      return false;
    });
    if (leads) break;
    await sleep(everyMs, signal);
  }

  const lost = new AbortController();
  const over = new AbortController();
  const keep = async () => {
    let renewedMs = now();
    while (!over.signal.aborted) {
      await sleep(everyMs, over.signal).catch(() => {});
      if (over.signal.aborted) return;
      // A call that hangs must not hold a leader in office.
      const patience = AbortSignal.any([over.signal, AbortSignal.timeout(Math.ceil(election.renewMs / 2))]);
      const leads = await renew(patience).catch((error) => {
        log.warn({ reason: String(error) }, "the lease could not be renewed");
        return null;
      });
      if (leads === true) renewedMs = now();
      if (leads === false || isLost(now(), renewedMs, election)) {
        lost.abort(new Error(leads === false ? "another one leads" : "the lease could not be renewed in time"));
        return;
      }
    }
  };
  const keeping = keep();

  return {
    signal: lost.signal,
    async release() {
      over.abort();
      await keeping;
      if (lost.signal.aborted) return;
      const stop = AbortSignal.timeout(Math.ceil(election.renewMs));
      const lease = await read(stop).catch(() => null);
      if (lease?.spec?.holderIdentity !== election.me) return;
      await write(lease, "", lease.spec.leaseTransitions ?? 0, stop).catch((error) =>
        log.warn({ reason: String(error) }, "the lease could not be given back; the next leader waits it out"),
      );
    },
  };
}

function recordOf(lease: Lease | null): LeaseRecord | null {
  if (!lease) return null;
  const { holderIdentity = "", renewTime = "", leaseDurationSeconds = 0, leaseTransitions = 0 } = lease.spec ?? {};
  return { holder: holderIdentity, renewTime, seconds: leaseDurationSeconds, transitions: leaseTransitions };
}

/** metav1.MicroTime. */
const microTime = (ms: number): string => new Date(ms).toISOString().replace("Z", "000Z");
