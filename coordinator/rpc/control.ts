// What outsiders may ask: the status, every event, and the commands of `plume ctl`. Each command is answered with its
// outcome or with a typed error; none of them can harm the run.

import type { ServerUnaryCall, ServerWritableStream, sendUnaryData } from "@grpc/grpc-js";
import type { ControlServiceServer, WatchRequest, WatchResponse } from "../../proto/gen/plume/v1/control.ts";
import type { Bus } from "../../shared/bus/bus.ts";
import type { Recovery, RunEvent, RunStatus } from "../../shared/bus/events.ts";
import { toServiceError } from "../../shared/rpc/call.ts";
import type { Commands } from "../control/commands.ts";
import type { Decision } from "../reporting/decisions.ts";

export type ControlHandlers = ControlServiceServer;

/** Events a slow watcher may fall behind before its stream is ended. */
const WATCH_BACKLOG = 10_000;
/** Recoveries that a status shows, the newest. */
const SHOWN = 20;

export interface ControlOptions extends Commands {
  readonly bus: Bus;
  readonly status: () => RunStatus;
  /** What was wrong before anyone could watch. */
  readonly warnings: readonly string[];
  readonly decisions: () => readonly Decision[];
  readonly recoveries: () => readonly Recovery[];
  /** @returns false when a stop was asked for already. */
  readonly stop: (reason: string) => boolean;
}

export function createControl(options: ControlOptions): ControlHandlers {
  const { bus, status, warnings, decisions, recoveries } = options;
  return {
    getStatus: answer(() => {
      const { members, secondsByState, ...now } = status();
      return {
        status: {
          ...now,
          members: [...members],
          secondsByState: { ...secondsByState },
          recoveries: recoveries().slice(-SHOWN),
          decisions: [...decisions()],
        },
      };
    }),

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

    stop: answer(({ reason }) => ({ alreadyStopping: !options.stop(reason || "asked to stop") })),
    pause: answer(() => ({ alreadyPaused: !options.pause("asked to pause") })),
    resume: answer(() => ({ wasPaused: options.resume("asked to resume") })),
    checkpoint: answer(async () => ({ step: await options.checkpoint() })),
    scale: answer(({ replicas }) => ({ before: options.scale(replicas), replicas })),
  };
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
