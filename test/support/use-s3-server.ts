// A real S3 server for the tests of a file.

import { afterAll, beforeAll } from "vitest";
import { type S3Server, startS3Server, withEnvironment } from "./s3-server.ts";

/** One server for a file's tests, in whose processes' environment it is. @returns the server, once the tests run. */
export function useS3Server(): () => S3Server {
  let server: S3Server;
  let environment: Disposable;
  beforeAll(async () => {
    server = await startS3Server();
    environment = withEnvironment(server.env);
  });
  afterAll(async () => {
    environment?.[Symbol.dispose]();
    await server?.[Symbol.asyncDispose]();
  });
  return () => server;
}
