// Control over gRPC: every event as it happens, the kept ones again, and what `plume ctl` asks. A wire and nothing more: what
// is asked goes to the desk, and the desk's answer back.

import { randomUUID } from "node:crypto";
import type { ServerUnaryCall, ServerWritableStream, sendUnaryData } from "@grpc/grpc-js";
import type {
  ControlServiceServer,
  EventsRequest,
  EventsResponse,
  WatchRequest,
  WatchResponse,
} from "../../proto/gen/plume/v1/control.ts";
import { createBell, heard } from "../../shared/bell.ts";
import type { Bus } from "../../shared/bus/bus.ts";
import type { EventLog } from "../../shared/bus/event-log.ts";
import type { RunEvent, RunStatus } from "../../shared/bus/events.ts";
import { errorOf } from "../../shared/control/reply.ts";
import type { Arguments, Results, Verb } from "../../shared/control/verbs.ts";
import { toServiceError, writeMessage } from "../../shared/rpc/call.ts";
import { wireOf } from "../../shared/rpc/status.ts";
import type { Desk } from "../control/desk.ts";

export type ControlHandlers = ControlServiceServer;
type EventsCall = ServerWritableStream<EventsRequest, EventsResponse>;

/** Events a slow watcher may fall behind before its stream is ended. */
const WATCH_BACKLOG = 10_000;

export interface ControlOptions {
  readonly bus: Bus;
  readonly events: EventLog;
  readonly incarnation: number;
  readonly desk: Desk;
  readonly status: () => RunStatus;
  /** What was wrong before anyone could watch. */
  readonly warnings: readonly string[];
}

export function createControl(options: ControlOptions): ControlHandlers {
  const { bus, desk, status, warnings } = options;
  const ask = async <V extends Verb>(verb: V, requestId: string, args: Arguments<V>): Promise<Results[V]> => {
    const reply = await desk.ask({ id: requestId || randomUUID(), verb, args, by: "gRPC" });
    if (!reply.ok) throw errorOf(reply);
    return reply.result as Results[V];
  };
  return {
    getStatus: answer(async () => ({ status: wireOf(await ask("status", "", {})) })),

    events: (call: EventsCall) => void replay(call, options),

    watch: (call: ServerWritableStream<WatchRequest, WatchResponse>) => {
      const send = (event: RunEvent) => {
        if (call.writableLength < WATCH_BACKLOG) call.write({ event: JSON.stringify(event) });
        else finish();
        if (event.kind === "end") finish();
      };
      const finish = () => {
        unsubscribe();
        call.end();
      };
      const unsubscribe = bus.subscribe(send);
      call.on("cancelled", unsubscribe);
      call.on("error", unsubscribe);
      for (const message of warnings) send({ kind: "warning", message });
      send({ kind: "status", status: status() });
    },

    stop: answer(({ requestId, reason }) => ask("stop", requestId, reason ? { reason } : {})),
    pause: answer(({ requestId }) => ask("pause", requestId, {})),
    resume: answer(({ requestId }) => ask("resume", requestId, {})),
    checkpoint: answer(({ requestId }) => ask("checkpoint", requestId, {})),
    scale: answer(({ requestId, replicas }) => ask("scale", requestId, { replicas })),
  };
}

/** The kept events, as fast as they are read: what waits is in the log, not in the stream. */
async function replay(call: EventsCall, { events, incarnation }: ControlOptions): Promise<void> {
  const news = createBell();
  let watched = true;
  const gone = () => {
    watched = false;
    unsubscribe();
    news.ring();
  };
  const unsubscribe = events.subscribe(() => news.ring());
  for (const broken of ["cancelled", "error", "close"]) call.on(broken, gone);
  let last = call.request.afterId || null;
  let over = false;
  try {
    while (watched && !over) {
      const seen = news.rung;
      for (const { id, atMs, event } of events.after(last)) {
        await writeMessage(call, { id, atMs, event: JSON.stringify(event) });
        last = id;
        over = event.kind === "end" && id.startsWith(`${incarnation}-`);
      }
      if (!call.request.follow) break;
      if (watched && !over) await heard(news, seen);
    }
  } catch {
    // Whoever watched is gone.
  } finally {
    gone();
    call.end();
  }
}

/** A unary handler from a function: what it throws becomes the call's typed error. */
function answer<Request, Response>(ask: (request: Request) => Response | Promise<Response>) {
  return (call: ServerUnaryCall<Request, Response>, respond: sendUnaryData<Response>): void => {
    Promise.resolve(call.request)
      .then(ask)
      .then(
        (response) => respond(null, response),
        (error) => respond(toServiceError(error)),
      );
  };
}
