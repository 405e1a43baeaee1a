// Straight to the coordinator.

import { randomUUID } from "node:crypto";
import { credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { ControlServiceClient, type EventsResponse, type Status } from "../../../proto/gen/plume/v1/control.ts";
import type { StampedEvent } from "../../../shared/bus/event-log.ts";
import type { Phase } from "../../../shared/bus/events.ts";
import type { Arguments, Results, StatusReport, Verb } from "../../../shared/control/verbs.ts";
import { PlumeError } from "../../../shared/errors.ts";
import { fromServiceError } from "../../../shared/rpc/call.ts";
import { ownConnection } from "../../../shared/rpc/transport.ts";
import type { ControlWire } from "./wire.ts";

export interface GrpcTarget {
  /** host:port */
  readonly address: string;
  /** The run's folder, where that is how it was found. */
  readonly folder: string | null;
  readonly timeoutMs: number;
}

type Done<Response> = (error: ServiceError | null, response: Response) => void;

export function grpcWire({ address, folder, timeoutMs }: GrpcTarget): ControlWire {
  const client = new ControlServiceClient(address, credentials.createInsecure(), ownConnection);

  const call = <Response>(start: (options: { deadline: number }, done: Done<Response>) => unknown): Promise<Response> =>
    new Promise((resolve, reject) => {
      start({ deadline: Date.now() + timeoutMs }, (error, response) =>
        error ? reject(explain(error)) : resolve(response),
      );
    });

  const explain = (error: unknown): PlumeError => {
    const known = fromServiceError(error);
    if (known.code === "DEADLINE_EXCEEDED")
      return new PlumeError(
        "DEADLINE_EXCEEDED",
        `the coordinator on ${address} has not answered for ${timeoutMs / 1000} s`,
        {
          remedy: "see its log; where the command may take longer, give it more with --timeout SECONDS",
        },
      );
    if (known.code !== "UNAVAILABLE") return known;
    return new PlumeError("UNAVAILABLE", `the coordinator on ${address} does not answer: ${known.message}`, {
      remedy: folder
        ? "if it was killed just now, its supervisor is starting it again: try in a moment"
        : "check --address, and that the job is running",
    });
  };

  const none = new Metadata();
  const verbs: { readonly [V in Verb]: (args: Arguments<V>) => Promise<Results[V]> } = {
    status: async () => {
      const { status } = await call<{ status?: Status | undefined }>((o, done) => client.getStatus({}, none, o, done));
      return reportOf(status!);
    },
    pause: () => call((o, done) => client.pause({ requestId: randomUUID() }, none, o, done)),
    resume: () => call((o, done) => client.resume({ requestId: randomUUID() }, none, o, done)),
    stop: ({ reason = "" }) => call((o, done) => client.stop({ reason, requestId: randomUUID() }, none, o, done)),
    checkpoint: () => call((o, done) => client.checkpoint({ requestId: randomUUID() }, none, o, done)),
    scale: ({ replicas }) => call((o, done) => client.scale({ replicas, requestId: randomUUID() }, none, o, done)),
  };

  return {
    ask: (verb, args) => verbs[verb](args),

    async *events(follow, signal) {
      const stream = client.events({ afterId: "", follow });
      const cancel = () => stream.cancel();
      signal.addEventListener("abort", cancel, { once: true });
      try {
        for await (const { id, atMs, event } of stream as AsyncIterable<EventsResponse>)
          yield { id, atMs, event: JSON.parse(event) } as StampedEvent;
      } catch (error) {
        if (!signal.aborted) throw explain(error);
      } finally {
        signal.removeEventListener("abort", cancel);
        cancel();
      }
    },

    async [Symbol.asyncDispose]() {
      client.close();
    },
  };
}

/** As the coordinator made it. */
function reportOf(status: Status): StatusReport {
  const { phase, saves, members, recoveries, ...rest } = status;
  return {
    ...rest,
    phase: phase as Phase,
    saves: saves!,
    members: members.map(({ pulled, ...member }) => (pulled === undefined ? member : { ...member, pulled })),
    recoveries: recoveries as StatusReport["recoveries"],
  };
}
