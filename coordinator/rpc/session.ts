// A worker's session on the coordinator's side: messages to membership calls, leases to messages. One stream a worker;
// when it ends, for whatever reason, the membership ends.

import type { ServerDuplexStream } from "@grpc/grpc-js";
import {
  type SessionRequest,
  type SessionResponse,
  type Welcome,
  WorkKind,
} from "../../proto/gen/plume/v1/training.ts";
import { OTHER_VERSION, PlumeError } from "../../shared/errors.ts";
import { type WorkerId, workerId } from "../../shared/ids.ts";
import type { Logger } from "../../shared/log.ts";
import type { Dispatcher, Outbox } from "../dispatcher.ts";
import type { Membership } from "../membership/members.ts";
import { metricsAddress } from "./metrics-address.ts";

/** Codes that another worker would come to as well. */
const DATA_FAULTS: ReadonlySet<string> = new Set(["DATA_LOSS", "INVALID_ARGUMENT", "NOT_FOUND"]);

type SessionStream = ServerDuplexStream<SessionRequest, SessionResponse>;
type Incoming = NonNullable<SessionRequest["message"]>;
type Departure = "left" | "lost" | "expelled";
type Farewell = { readonly change: Departure; readonly reason: string };

/** Open streams by worker. */
export interface Sessions extends Outbox {
  handle(stream: SessionStream): void;
  /** Tells every member that the run is over and ends their streams. */
  drain(reason: string): void;
}

export interface SessionOptions {
  readonly membership: Membership;
  readonly dispatcher: Pick<Dispatcher, "replan" | "gone" | "leaving" | "progress" | "fail">;
  readonly log: Logger;
  readonly welcome: () => Welcome;
  readonly shmNonce: string;
  /** Address that workers offer their metrics on; a wildcard for each one's own. */
  readonly metricsHost: string;
  /** A member's session is over: nothing that it left lying about is wanted. */
  readonly onGone: (worker: WorkerId) => void;
}

export function createSessions({
  membership,
  dispatcher,
  log,
  welcome,
  shmNonce,
  metricsHost,
  onGone,
}: SessionOptions): Sessions {
  const streams = new Map<WorkerId, SessionStream>();

  const refuse = (stream: SessionStream, message: string, retry: boolean) => {
    stream.write({ message: { $case: "refusal", value: { code: "FAILED_PRECONDITION", message, retry } } });
    stream.end();
  };

  const gone = (id: WorkerId, change: Departure, reason: string) => {
    streams.delete(id);
    membership.remove(id, change, reason);
    dispatcher.gone(id);
    onGone(id);
    dispatcher.replan();
  };

  const send = (id: WorkerId, message: NonNullable<SessionResponse["message"]>) =>
    void streams.get(id)?.write({ message });

  /** @returns the member's id, or null when it was refused. */
  const admit = (stream: SessionStream, hello: Extract<Incoming, { $case: "hello" }>["value"]): WorkerId | null => {
    const { workerId: name, instance, plumeVersion: version, host, pid } = hello;
    const id = workerId(name);
    const arrival = { id, instance, version };
    let admission = membership.admit(arrival);
    if (admission.kind === "replace") {
      const old = streams.get(id);
      gone(id, "lost", admission.reason);
      old?.end();
      admission = membership.admit(arrival);
    }
    if (admission.kind !== "admit") {
      refuse(stream, admission.reason, admission.kind === "refuse" && admission.retry);
      return null;
    }
    streams.set(id, stream);
    log.info({ worker: id, host, workerPid: pid }, "worker welcomed");
    send(id, { $case: "welcome", value: welcome() });
    return id;
  };

  const onMessage = (id: WorkerId, stream: SessionStream, message: Exclude<Incoming, { $case: "hello" }>) => {
    membership.heard(id);
    switch (message.$case) {
      case "heartbeat":
        return send(id, { $case: "heartbeat", value: {} });
      case "ready": {
        const { backend, device, shmNonce: nonce, metricsPort, metricsHost: own } = message.value;
        const transport = shmNonce !== "" && nonce === shmNonce ? "shm" : "grpc";
        const metrics = metricsAddress(stream.getPeer(), own || metricsHost, metricsPort);
        const admission = membership.ready(id, message.value, { device: `${backend}: ${device}`, transport, metrics });
        if (admission.kind === "refuse") {
          streams.delete(id);
          refuse(stream, admission.reason, admission.retry);
        }
        return dispatcher.replan();
      }
      case "transfer": {
        const { bytes, total } = message.value;
        return membership.pulling(id, bytes < total ? bytes / total : null);
      }
      case "progress": {
        const { tuple, lo, hi, done, seconds } = message.value;
        const kind = message.value.kind === WorkKind.WORK_KIND_SAMPLE ? "sample" : "gradient";
        return dispatcher.progress(id, { tuple, kind, block: { lo, hi } }, done, seconds);
      }
      case "leave":
        membership.leaving(id);
        dispatcher.leaving(id);
        return dispatcher.replan();
      case "failure": {
        const { code, message: why } = message.value;
        log.error({ worker: id, code, why }, "worker failed");
        if (DATA_FAULTS.has(code)) dispatcher.fail(new PlumeError("DATA_LOSS", why));
        return;
      }
      default:
        message satisfies never;
    }
  };

  /** Once the run is over, whoever goes is not lost. */
  let drained: Farewell | null = null;

  return {
    handle(stream) {
      let id: WorkerId | null = null;
      let farewell: Farewell | null = null;

      const onRequest = (message: Incoming) => {
        if (message.$case === "hello") {
          if (id) throw new PlumeError("INVALID_ARGUMENT", "a session says hello once", OTHER_VERSION);
          if (drained) {
            stream.write({ message: { $case: "drain", value: { reason: drained.reason } } });
            return stream.end();
          }
          id = admit(stream, message.value);
          return;
        }
        if (!id)
          throw new PlumeError("INVALID_ARGUMENT", `a session begins with hello, not ${message.$case}`, OTHER_VERSION);
        if (streams.get(id) !== stream) return; // an expelled member's last words
        if (message.$case === "leave") farewell = { change: "left", reason: message.value.reason };
        if (message.$case === "failure")
          farewell = { change: "lost", reason: `${message.value.code}: ${message.value.message}` };
        onMessage(id, stream, message);
      };

      const onEnd = (reason: string) => {
        if (!id || streams.get(id) !== stream) return;
        const bye = farewell ?? drained;
        gone(id, bye?.change ?? "lost", bye?.reason ?? reason);
      };

      stream.on("data", (request: SessionRequest) => {
        try {
          if (request.message) onRequest(request.message);
        } catch (error) {
          // Garbled on the way, or another kind of client: it may try again, on a new connection.
          refuse(stream, error instanceof Error ? error.message : String(error), true);
        }
      });
      stream.on("end", () => {
        onEnd("it ended its session");
        stream.end();
      });
      stream.on("cancelled", () => onEnd("its stream broke"));
      stream.on("error", () => onEnd("its stream broke"));
    },

    lease: (id, value) => send(id, { $case: "lease", value }),
    revoke: (id, tuple, { lo, hi }) => send(id, { $case: "revoke", value: { tuple, lo, hi } }),

    expel(id, reason, retry) {
      const stream = streams.get(id);
      gone(id, "expelled", reason);
      if (stream) refuse(stream, reason, retry);
    },

    drain(reason) {
      drained = { change: "left", reason };
      for (const stream of streams.values()) {
        stream.write({ message: { $case: "drain", value: { reason } } });
        stream.end();
      }
    },
  };
}
