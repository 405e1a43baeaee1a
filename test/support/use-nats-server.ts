// A real NATS server for the tests of a file.

import { afterAll, beforeAll } from "vitest";
import { type NatsServer, type NatsServerOptions, startNatsServer } from "./nats-server.ts";

/** One server for a file's tests. @returns the server, once the tests run. */
export function useNatsServer(options: NatsServerOptions = {}): () => NatsServer {
  let server: NatsServer;
  beforeAll(async () => {
    server = await startNatsServer(options);
  });
  afterAll(() => server?.[Symbol.asyncDispose]());
  return () => server;
}
