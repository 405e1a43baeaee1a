// The control service as a client sees it: typed questions and answers, the kept events.

import { randomUUID } from "node:crypto";
import { Metadata, type ServiceError } from "@grpc/grpc-js";
import { ControlServiceClient, type EventsResponse, type Status } from "../../proto/gen/plume/v1/control.ts";
import type { StampedEvent } from "../bus/event-log.ts";
import type { Arguments, Results, Verb } from "../control/verbs.ts";
import { reportOf } from "./status.ts";
import type { Plane } from "./tls/plane.ts";
import { ownConnection } from "./transport.ts";

type Done<Response> = (error: ServiceError | null, response: Response) => void;

export interface ControlClientOptions {
  /** host:port */
  readonly address: string;
  readonly plane: Plane;
  /** That the coordinator's certificate must have; the address's host when absent. */
  readonly name?: string;
  readonly timeoutMs: number;
  /** What to throw for what gRPC says. */
  readonly explain: (error: unknown) => Error;
}

export interface ControlClient extends AsyncDisposable {
  ask<V extends Verb>(verb: V, args: Arguments<V>): Promise<Results[V]>;
  /** The kept events, oldest first; with `follow` those that come, too. */
  events(follow: boolean, signal: AbortSignal): AsyncIterable<StampedEvent>;
}

export function controlClient({ address, plane, name, timeoutMs, explain }: ControlClientOptions): ControlClient {
  const client = new ControlServiceClient(address, ...plane.client(address, ownConnection, name));

  const call = <Response>(start: (options: { deadline: number }, done: Done<Response>) => unknown): Promise<Response> =>
    new Promise((resolve, reject) => {
      start({ deadline: Date.now() + timeoutMs }, (error, response) =>
        error ? reject(explain(error)) : resolve(response),
      );
    });

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
