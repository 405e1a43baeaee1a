// Through a NATS server. A request that gets no answer is sent again, with its id: the coordinator carries it out once.

import { randomUUID } from "node:crypto";
import { DeliverPolicy, JetStreamApiError, type JetStreamClient, type JsMsg, jetstream } from "@nats-io/jetstream";
import {
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  NoRespondersError,
  PermissionViolationError,
  RequestError,
} from "@nats-io/transport-node";
import type { StampedEvent } from "../../../shared/bus/event-log.ts";
import { sleep } from "../../../shared/clock.ts";
import { errorOf } from "../../../shared/control/reply.ts";
import type { Results, Verb } from "../../../shared/control/verbs.ts";
import { PlumeError } from "../../../shared/errors.ts";
import { decodeEvent, decodeReply, encode } from "../../../shared/nats/codec.ts";
import { connectNats } from "../../../shared/nats/connection.ts";
import { connectionOptions, type NatsSettings, shownServers } from "../../../shared/nats/settings.ts";
import { commandSubject, eventStream, parseMessageId } from "../../../shared/nats/subjects.ts";
import type { ControlWire } from "./wire.ts";

export interface NatsTarget {
  readonly settings: NatsSettings;
  readonly job: string;
  readonly timeoutMs: number;
}

/** A request or its answer may be lost with a connection: after so long it is sent again. */
const SEND_AGAIN_MS = 5_000;
const FIND_AGAIN_MS = 250;
/** So long a coordinator may take to be back on a server that was started again just now: shared/nats waits 0.7 s at most. */
const FIND_MS = 1_500;

/** @throws PlumeError */
export async function natsWire(target: NatsTarget): Promise<ControlWire> {
  const { settings, job, timeoutMs } = target;
  const servers = shownServers(settings);
  const connection = await connectNats(settings, connectionOptions(settings, "plume ctl"));
  const unanswered = (verb: string) =>
    new PlumeError(
      "DEADLINE_EXCEEDED",
      `the coordinator of job ${job} has not answered ${verb} on ${servers} for ${timeoutMs / 1000} s`,
      {
        remedy: "see its log; where the command may take longer, give it more with --timeout SECONDS",
      },
    );

  const send = async (verb: Verb, payload: Uint8Array): Promise<Msg> => {
    const [end, found] = [performance.now() + timeoutMs, performance.now() + FIND_MS];
    let sent = false;
    let refused: PlumeError | null = null;
    for (let left = timeoutMs; left > 0; left = end - performance.now()) {
      try {
        return await connection.request(commandSubject(job, verb), payload, {
          timeout: Math.max(1, Math.min(left, SEND_AGAIN_MS)),
        });
      } catch (error) {
        refused = refusalOf(error, target, verb);
        // A server that was started again may be there before the coordinator has found it.
        if (refused && !(refused.code === "UNAVAILABLE" && (sent || performance.now() < found))) throw refused;
        if (refused) await sleep(FIND_AGAIN_MS);
        else sent = true;
      }
    }
    throw refused ?? unanswered(verb);
  };

  return {
    async ask<V extends Verb>(verb: V, args: object) {
      const reply = decodeReply((await send(verb, encode({ id: randomUUID(), args }))).data);
      if (!reply.ok) throw errorOf(reply);
      return reply.result as Results[V];
    },
    events: (follow, signal) => replay(connection, target, follow, signal),
    [Symbol.asyncDispose]: () => Promise.race([connection.close(), sleep(1_000)]),
  };
}

/** @returns null when it may be sent again. */
function refusalOf(error: unknown, { settings, job }: NatsTarget, verb: Verb): PlumeError | null {
  const cause = error instanceof RequestError ? (error.cause ?? error) : error;
  const servers = shownServers(settings);
  if (cause instanceof NoRespondersError)
    return new PlumeError("UNAVAILABLE", `no coordinator of job ${job} listens on ${servers}`, {
      remedy:
        "check --job, and that the job runs with nats.servers; if its coordinator was killed just now, try in a moment",
    });
  if (cause instanceof PermissionViolationError)
    return new PlumeError("FAILED_PRECONDITION", `this user may not ${verb} job ${job}: ${cause.message}`, {
      remedy: "use the credentials of an operator (deploy/nats has an example)",
    });
  if ((error as Error).name === "TimeoutError") return null;
  return new PlumeError("UNAVAILABLE", `${servers}: ${(error as Error).message}`);
}

/** The newest run's events: those of earlier runs of this name, which the stream may still have, are passed over. */
async function* replay(
  connection: NatsConnection,
  target: NatsTarget,
  follow: boolean,
  signal: AbortSignal,
): AsyncGenerator<StampedEvent> {
  const { job } = target;
  const client = jetstream(connection);
  const stream = eventStream(job);
  const newest = await lastRun(client, target);
  if (newest === undefined && !follow) return;
  let skip = true;
  const consumer = await client.consumers.get(stream, { deliver_policy: DeliverPolicy.All });
  const messages = await consumer.consume();
  const stop = () => void messages.close();
  signal.addEventListener("abort", stop, { once: true });
  let over = false;
  try {
    for await (const message of messages as AsyncIterable<JsMsg>) {
      const left = message.info.pending;
      if (newest === undefined || runOf(job, message.headers) === newest) skip = false;
      const event = skip ? null : decodeEvent(message.data);
      if (event) {
        yield event;
        if (event.event.kind === "end") over = true;
        if (event.event.kind === "phase") over = false; // it was resumed
      }
      if (left === 0 && (over || !follow)) return;
    }
  } finally {
    signal.removeEventListener("abort", stop);
    await messages.close();
  }
}

const runOf = (job: string, headers: MsgHdrs | undefined): number | undefined =>
  parseMessageId(job, headers?.get("Nats-Msg-Id") ?? "")?.run;

/** Of the run whose event is the stream's last. @throws PlumeError when there is no stream to read. */
async function lastRun(client: JetStreamClient, target: NatsTarget): Promise<number | undefined> {
  const stream = eventStream(target.job);
  try {
    const { streams } = await client.jetstreamManager(false);
    const { state } = await streams.info(stream);
    const last = state.messages > 0 ? await streams.getMessage(stream, { seq: state.last_seq }) : null;
    return runOf(target.job, last?.header);
  } catch (error) {
    throw streamError(error, target);
  }
}

function streamError(error: unknown, { job, settings }: NatsTarget): PlumeError {
  const servers = shownServers(settings);
  if ((error as Error).name === "JetStreamNotEnabled")
    return new PlumeError("FAILED_PRECONDITION", `${servers} keeps no events: it runs without JetStream`, {
      remedy: "start it with -js; meanwhile plume ctl events RUN asks the coordinator itself",
    });
  if (error instanceof JetStreamApiError && error.status === 404)
    return new PlumeError("NOT_FOUND", `${servers} has no events of a job ${job}`, {
      remedy: "check --job, and that the job runs, or ran, with nats.servers",
    });
  const cause = error instanceof RequestError ? (error.cause ?? error) : error;
  if (cause instanceof PermissionViolationError)
    return new PlumeError("FAILED_PRECONDITION", `this user may not read the events of job ${job}: ${cause.message}`, {
      remedy: "use the credentials of a reader (deploy/nats has an example)",
    });
  return new PlumeError("UNAVAILABLE", `${servers}: ${(error as Error).message}`, { cause: error });
}
