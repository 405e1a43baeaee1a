// Who leads: one of several operators, by a Lease. Pure: what to do about the lease as it is. The clocks of other machines do
// not count: a lease has expired when this process has seen the same record for longer than it lasts.

export interface LeaseRecord {
  /** Nobody, once it is given back. */
  readonly holder: string;
  /** Changes with every renewal. */
  readonly renewTime: string;
  readonly seconds: number;
  readonly transitions: number;
}

/** What was seen of the lease, and when the record last changed, on this process's clock. */
export interface Sighting {
  readonly record: LeaseRecord | null;
  readonly changedMs: number;
}

export interface ElectionOptions {
  readonly me: string;
  readonly leaseMs: number;
  /** A leader that has not renewed for so long steps down: well before another may take over. */
  readonly renewMs: number;
}

export type LeaseDecision =
  /** Write it with these transitions. */
  | { readonly kind: "take" | "renew"; readonly transitions: number; readonly reason: string }
  | { readonly kind: "wait"; readonly reason: string };

export function sighted(nowMs: number, before: Sighting | null, record: LeaseRecord | null): Sighting {
  const same = before !== null && JSON.stringify(before.record) === JSON.stringify(record);
  return same ? before : { record, changedMs: nowMs };
}

export function decideLease(nowMs: number, { record, changedMs }: Sighting, options: ElectionOptions): LeaseDecision {
  if (record === null) return { kind: "take", transitions: 0, reason: "there is no lease" };
  if (record.holder === options.me) return { kind: "renew", transitions: record.transitions, reason: "it is ours" };
  const transitions = record.transitions + 1;
  if (record.holder === "") return { kind: "take", transitions, reason: "it was given back" };
  const silentMs = nowMs - changedMs;
  if (silentMs > Math.max(record.seconds * 1000, options.leaseMs))
    return { kind: "take", transitions, reason: `${record.holder} has not renewed it for ${seconds(silentMs)}` };
  return { kind: "wait", reason: `${record.holder} leads` };
}

/** May a leader that last renewed then go on? */
export const isLost = (nowMs: number, renewedMs: number, { renewMs }: ElectionOptions): boolean =>
  nowMs - renewedMs > renewMs;

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;
