// The newest status under the job's key, for whoever wants to know without asking the coordinator: once a second at the most,
// and at once when the phase changes.
//
// I1. One write is on its way at the most; what is written is always the newest.

import { jetstream } from "@nats-io/jetstream";
import { type KV, Kvm } from "@nats-io/kv";
import type { NatsConnection } from "@nats-io/transport-node";
import { type Bell, createBell, heard } from "../../shared/bell.ts";
import type { Bus } from "../../shared/bus/bus.ts";
import type { Phase, RunStatus } from "../../shared/bus/events.ts";
import { within } from "../../shared/clock.ts";
import { encode } from "../../shared/nats/codec.ts";
import { STATUS_BUCKET } from "../../shared/nats/subjects.ts";

const EVERY_MS = 1_000;
const ANSWER_MS = 2_000;
/** Failures in a row before it is said; it is tried again once a second. */
const TRIES = 10;
const LAST_WORDS_MS = 1_000;

export interface StatusOptions {
  readonly connection: NatsConnection;
  readonly job: string;
  readonly bus: Bus;
  readonly status: () => RunStatus;
  /** There is a server, and it keeps things. */
  readonly able: () => boolean;
  readonly link: Bell;
  readonly epochMs: () => number;
  /** The server does not take it. */
  readonly onMissing: (reason: string) => void;
}

export interface StatusPublisher {
  close(): Promise<void>;
}

export function publishStatus({
  connection,
  job,
  bus,
  status,
  able,
  link,
  epochMs,
  onMissing,
}: StatusOptions): StatusPublisher {
  const client = jetstream(connection, { timeout: ANSWER_MS, checkAPI: false });
  const changed = createBell();
  let over = false;
  let failures = 0;
  let phase: Phase | null = null;
  let stale = true;
  let closing = false;
  let bucket: KV | null = null;

  const unsubscribe = bus.subscribe((event) => {
    if (event.kind === "status") stale = true;
    else if (event.kind !== "phase") return;
    const now = event.kind === "phase" ? event.phase : event.status.phase;
    if (now === phase) return;
    phase = now;
    stale = true;
    changed.ring();
  });

  const unlink = link.on(() => changed.ring());

  const write = async (): Promise<void> => {
    stale = false;
    try {
      bucket ??= await new Kvm(client).create(STATUS_BUCKET, { history: 1, timeout: ANSWER_MS });
      await bucket.put(job, encode({ atMs: epochMs(), ...status() }));
      failures = 0;
    } catch (error) {
      bucket = null;
      stale = true;
      failures++;
      // Longer than a connection takes to be found broken.
      if (failures === TRIES) onMissing((error as Error).message);
    }
  };

  const work = async (): Promise<void> => {
    while (!over) {
      const seen = changed.rung;
      if (stale && able()) await write();
      if (closing && !(stale && able())) return;
      await heard(changed, seen, EVERY_MS);
    }
  };
  const working = work();

  return {
    async close() {
      unsubscribe();
      unlink();
      closing = true;
      stale = true;
      changed.ring();
      await within(LAST_WORDS_MS, working);
      over = true;
    },
  };
}
