// The run's kept events, into a stream of its server: in their order, each once, from wherever the stream ends.
//
// I1. The stream knows where it ends; nobody else is asked. Every message names itself and the one before it, and the server
//     refuses one that does not follow: a retry, a restart of either side, or an answer that was lost makes no event twice, and
//     none out of its order.
// I2. Nothing waits for it. What is not published yet is in the log of events, whose memory has a bound; what falls out of it is
//     counted, and said.

import { JetStreamApiError, jetstream, type PubAck, type StreamInfo } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { type Bell, createBell, heard } from "../../shared/bell.ts";
import type { EventLog, StampedEvent } from "../../shared/bus/event-log.ts";
import { within } from "../../shared/clock.ts";
import { PlumeError } from "../../shared/errors.ts";
import { encode } from "../../shared/nats/codec.ts";
import { categoryOf, eventStream, eventSubject, messageId, parseMessageId } from "../../shared/nats/subjects.ts";
import { decideFeatures } from "./features.ts";
import { decideGap, type Gap, isLater } from "./gap.ts";

/** Messages on their way at a time. */
const BATCH = 128;
const ANSWER_MS = 5_000;
/** How long the end of a run waits for its last events to be stored. */
const LAST_WORDS_MS = 2_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 30_000;
/** Room for a message's subject and headers. */
const HEADERS_BYTES = 1_024;

/** Of a stream that plume creates; whoever wants others creates it before, or edits it. */
const STREAM_LIMITS = {
  max_msgs: 1_000_000,
  max_bytes: 512 * 2 ** 20,
  /** Nanoseconds in which the server itself knows a message again. */
  duplicate_window: 10 * 60 * 1e9,
} as const;

export interface EventPublisher {
  /** What is left is published, if the server is there; then nothing any more. */
  close(): Promise<void>;
}

export interface EventsOptions {
  readonly connection: NatsConnection;
  readonly job: string;
  readonly events: EventLog;
  readonly connected: () => boolean;
  /** Rings when the connection is lost or back. */
  readonly link: Bell;
  /** The server cannot keep events now, or can again: null. */
  readonly onMissing: (error: PlumeError | null) => void;
  readonly onGap: (gap: Gap) => void;
}

export function publishEvents(options: EventsOptions): EventPublisher {
  const { connection, job, events, connected, link, onMissing, onGap } = options;
  const client = jetstream(connection, { timeout: ANSWER_MS });
  const stream = eventStream(job);
  const changed = createBell();
  const unsubscribe = events.subscribe(() => changed.ring());
  const unlink = link.on(() => changed.ring());
  let closing = false;
  let over = false;
  /** The newest of this run in the stream, and which stream that was. */
  let newest: string | null = null;
  let created = "";

  const idOf = ({ id }: StampedEvent) => messageId(job, events.beganMs!, id);

  const ensureStream = async (): Promise<StreamInfo> => {
    const { streams } = await client.jetstreamManager(false);
    try {
      return await streams.info(stream);
    } catch (error) {
      if (!(error instanceof JetStreamApiError) || error.status !== 404) throw error;
      return streams.add({ name: stream, subjects: [eventSubject(job, ">")], ...STREAM_LIMITS });
    }
  };

  /** Where the stream ends. @returns the id of its last message, null when that has none. */
  const findEnd = async (): Promise<string | null> => {
    const features = decideFeatures(connection.info!);
    if (features.kind !== "all")
      throw new PlumeError("FAILED_PRECONDITION", features.reason, { remedy: features.remedy });
    const { created: since, state } = await ensureStream();
    if (since !== created) newest = null;
    created = since;
    const { streams } = await client.jetstreamManager(false);
    const last = state.messages > 0 ? await streams.getMessage(stream, { seq: state.last_seq }) : null;
    const id = last?.header.get("Nats-Msg-Id") || null;
    const ours = id === null ? null : parseMessageId(job, id);
    if (ours?.run === events.beganMs) newest = ours.id;
    return id;
  };

  /** A crash may have torn the newest out of the log: what came before it must not come again. */
  const pending = (): readonly StampedEvent[] => {
    const after = events.after(newest);
    const last = newest;
    return last === null || after.length === 0 || isLater(after[0]!.id, last)
      ? after
      : after.filter(({ id }) => isLater(id, last));
  };

  const publish = (event: StampedEvent, after: string | null): Promise<PubAck> =>
    client.publish(eventSubject(job, categoryOf(event.event)), payloadOf(event, connection.info!.max_payload), {
      msgID: idOf(event),
      ...(after === null ? {} : { expect: { lastMsgID: after } }),
    });

  /** All that is there, and then what comes. Returns when the connection is lost, or when all is done and no more comes. */
  const follow = async (end: string | null): Promise<void> => {
    let last = end;
    while (connected() && !over) {
      const seen = changed.rung;
      const batch = pending().slice(0, BATCH);
      if (batch.length === 0) {
        if (closing) return;
        await heard(changed, seen);
        continue;
      }
      const gap = decideGap(newest, batch[0]!);
      const before = [last, ...batch.map(idOf)];
      const answers = await unlessLost(Promise.allSettled(batch.map((event, i) => publish(event, before[i]!))));
      if (answers === null) return;
      const failed = answers.findIndex(({ status }) => status === "rejected");
      const stored = failed < 0 ? batch : batch.slice(0, failed);
      if (stored.length > 0) {
        newest = stored.at(-1)!.id;
        last = idOf(stored.at(-1)!);
        onMissing(null);
        if (gap.kind === "missing") onGap(gap);
      }
      if (failed >= 0) throw (answers[failed] as PromiseRejectedResult).reason;
    }
  };

  /** @returns null as soon as the connection is lost: what was sent may never be answered. */
  const unlessLost = <T>(answers: Promise<T>): Promise<T | null> =>
    new Promise((resolve) => {
      const stop = link.on(() => connected() || resolve(null));
      void answers.then(resolve).finally(stop);
    });

  const work = async (): Promise<void> => {
    let failures = 0;
    while (!over) {
      const seen = changed.rung;
      const links = link.rung;
      const able = connected() && events.beganMs !== null;
      const before = newest;
      try {
        if (able) await follow(await findEnd());
        if (closing) return;
        if (!able) await heard(changed, seen);
      } catch (error) {
        if (over) return;
        failures = newest === before ? failures + 1 : 1;
        if (connected() && failures >= patienceWith(error)) onMissing(explain(error));
        await heard(link, links, Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS));
      }
    }
  };

  const working = work();
  return {
    async close() {
      closing = true;
      link.ring();
      await within(LAST_WORDS_MS, working);
      over = true;
      unsubscribe();
      unlink();
    },
  };
}

/** A server does not carry everything. */
function payloadOf(event: StampedEvent, most: number): Uint8Array {
  const bytes = encode(event);
  if (bytes.length <= most - HEADERS_BYTES) return bytes;
  const message = `an event of ${bytes.length} bytes (${event.event.kind}) is in events.ndjson alone: the server takes ${most}`;
  return encode({ ...event, event: { kind: "warning", message } });
}

/** Failures in a row before it is said: a server that is silent may be gone, and that is for the connection to find out. */
function patienceWith(error: unknown): number {
  if (error instanceof PlumeError) return 1;
  return (error as Error).name === "TimeoutError" ? 4 : 2;
}

function explain(error: unknown): PlumeError {
  if (error instanceof PlumeError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new PlumeError("UNAVAILABLE", reason, {
    remedy: "see that JetStream has room, and that this user may create and write streams (deploy/nats)",
    cause: error,
  });
}
