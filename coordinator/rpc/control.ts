// What outsiders may ask: the status, every event, an orderly stop.

import type { ServerUnaryCall, ServerWritableStream, sendUnaryData } from "@grpc/grpc-js";
import type {
  ControlServiceServer,
  GetStatusRequest,
  GetStatusResponse,
  StopRequest,
  StopResponse,
  WatchRequest,
  WatchResponse,
} from "../../proto/gen/plume/v1/control.ts";
import type { Bus } from "../../shared/bus/bus.ts";
import type { RunEvent, RunStatus } from "../../shared/bus/events.ts";

export type ControlHandlers = ControlServiceServer;

/** Events a slow watcher may fall behind before its stream is ended. */
const WATCH_BACKLOG = 10_000;

export interface ControlOptions {
  readonly bus: Bus;
  readonly status: () => RunStatus;
  /** What was wrong before anyone could watch. */
  readonly warnings: readonly string[];
  /** @returns false when a stop was asked for already. */
  readonly stop: (reason: string) => boolean;
}

export function createControl({ bus, status, warnings, stop }: ControlOptions): ControlHandlers {
  return {
    getStatus: (
      _call: ServerUnaryCall<GetStatusRequest, GetStatusResponse>,
      respond: sendUnaryData<GetStatusResponse>,
    ) => {
      const now = status();
      respond(null, { status: { ...now, members: [...now.members] } });
    },

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

    stop: (call: ServerUnaryCall<StopRequest, StopResponse>, respond: sendUnaryData<StopResponse>) => {
      respond(null, { alreadyStopping: !stop(call.request.reason || "asked to stop") });
    },
  };
}
