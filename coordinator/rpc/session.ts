// A worker's session on the coordinator's side: messages to membership calls, leases to messages. One stream a worker;
// when it ends, for whatever reason, the membership ends.

import type { ServerDuplexStream } from "@grpc/grpc-js";
import type { SessionRequest, SessionResponse, Welcome } from "../../proto/gen/plume/v1/training.ts";
import { PlumeError } from "../../shared/errors.ts";
import { type WorkerId, workerId } from "../../shared/ids.ts";
import type { Logger } from "../../shared/log.ts";
import type { Block } from "../../shared/tensor/tree.ts";
import type { Membership } from "../membership/members.ts";

/** Codes that another worker would come to as well. */
const DATA_FAULTS: ReadonlySet<string> = new Set(["DATA_LOSS", "INVALID_ARGUMENT", "NOT_FOUND"]);

export type SessionStream = ServerDuplexStream<SessionRequest, SessionResponse>;

/** Open streams by worker, for whoever grants leases. */
export interface Sessions {
  handle(stream: SessionStream): void;
  send(id: WorkerId, message: SessionResponse["message"]): void;
  /** Ends a member's stream with a typed refusal that asks it to join again, or to end. */
  expel(id: WorkerId, reason: string, retry: boolean): void;
  /** Tells every member that the run is over and ends their streams. */
  drain(reason: string): void;
}

export interface SessionOptions {
  readonly membership: Membership;
  readonly log: Logger;
  readonly welcome: () => Welcome;
  readonly shmNonce: string;
  readonly onProgress: (id: WorkerId, step: number, block: Block, done: number) => void;
  /** The members changed: leases must be decided anew. */
  readonly onChange: () => void;
  readonly onGone: (id: WorkerId) => void;
  /** A worker found something that every worker would find: a fault of the data, not of the worker. */
  readonly onDataFault: (error: PlumeError) => void;
}

export function createSessions({
  membership,
  log,
  welcome,
  shmNonce,
  onProgress,
  onChange,
  onGone,
  onDataFault,
}: SessionOptions): Sessions {
  const streams = new Map<WorkerId, SessionStream>();

  const refuse = (stream: SessionStream, message: string, retry: boolean) => {
    stream.write({ message: { $case: "refusal", value: { code: "FAILED_PRECONDITION", message, retry } } });
    stream.end();
  };

  const gone = (id: WorkerId, change: "left" | "expelled", reason: string) => {
    streams.delete(id);
    membership.remove(id, change, reason);
    onGone(id);
    onChange();
  };

  return {
    handle(stream) {
      let id: WorkerId | null = null;
      let farewell: string | null = null;

      const onMessage = (message: NonNullable<SessionRequest["message"]>) => {
        if (message.$case === "hello") {
          if (id) throw new PlumeError("INVALID_ARGUMENT", "a session says hello once");
          const candidate = workerId(message.value.workerId);
          const admission = membership.admit(candidate);
          if (admission.kind === "refuse") return refuse(stream, admission.reason, admission.retry);
          id = candidate;
          streams.set(id, stream);
          log.info({ worker: id, host: message.value.host, workerPid: message.value.pid }, "worker welcomed");
          return void stream.write({ message: { $case: "welcome", value: welcome() } });
        }
        if (!id) throw new PlumeError("INVALID_ARGUMENT", `a session begins with hello, not ${message.$case}`);
        membership.heard(id);
        switch (message.$case) {
          case "ready": {
            const { backend, device, numericsClass, shmNonce: nonce, dataDigest, layoutDigest } = message.value;
            const transport = shmNonce !== "" && nonce === shmNonce ? "shm" : "grpc";
            const admission = membership.ready(
              id,
              { numericsClass, dataDigest, layoutDigest },
              { device: `${backend}: ${device}`, transport },
            );
            if (admission.kind === "refuse") return refuse(stream, admission.reason, admission.retry);
            return onChange();
          }
          case "progress":
            return onProgress(id, message.value.tuple?.step ?? -1, message.value, message.value.done);
          case "leave":
            farewell = message.value.reason;
            membership.leaving(id);
            return onChange();
          case "failure":
            farewell = `${message.value.code}: ${message.value.message}`;
            log.error({ worker: id, ...message.value }, "worker failed");
            if (DATA_FAULTS.has(message.value.code)) onDataFault(new PlumeError("DATA_LOSS", message.value.message));
            return;
          case "heartbeat":
            return;
          default:
            message satisfies never;
        }
      };

      const onEnd = (reason: string) => {
        if (id && streams.get(id) === stream) gone(id, "left", farewell ?? reason);
      };

      stream.on("data", (request: SessionRequest) => {
        try {
          if (request.message) onMessage(request.message);
        } catch (error) {
          refuse(stream, error instanceof Error ? error.message : String(error), false);
        }
      });
      stream.on("end", () => {
        onEnd("it ended its session");
        stream.end();
      });
      stream.on("cancelled", () => onEnd("its stream broke"));
      stream.on("error", () => onEnd("its stream broke"));
    },

    send: (id, message) => void streams.get(id)?.write({ message }),

    expel(id, reason, retry) {
      const stream = streams.get(id);
      gone(id, "expelled", reason);
      if (stream) refuse(stream, reason, retry);
    },

    drain(reason) {
      for (const stream of streams.values()) {
        stream.write({ message: { $case: "drain", value: { reason } } });
        stream.end();
      }
    },
  };
}
