// The other process of bench:plane: a coordinator's side of the data plane with nothing behind it. It takes pushes into
// shared memory, serves pulls from it and answers raw HTTP/2. With PLUME_TLS its gRPC has certificates.

import type { ServerReadableStream, ServerWritableStream, sendUnaryData } from "@grpc/grpc-js";
import {
  type PullRequest,
  type PullResponse,
  PushOutcome,
  type PushRequest,
  type PushResponse,
} from "../../proto/gen/plume/v1/training.ts";
import { chunksOf, toServiceError, writeMessage } from "../../shared/rpc/call.ts";
import { planeOfEnvironment } from "../../shared/rpc/tls/plane.ts";
import { trainingService } from "../../shared/rpc/training-service.ts";
import { createServer } from "../../shared/rpc/transport.ts";
import { serveRaw } from "./http2-raw.ts";

export interface PeerMessage {
  readonly grpcPort: number;
  readonly rawPort: number;
}

const size = Number(process.argv[2]);
const vector = new Uint8Array(new SharedArrayBuffer(size)).fill(7);

async function take(call: ServerReadableStream<PushRequest, PushResponse>, respond: sendUnaryData<PushResponse>) {
  let at = 0;
  for await (const { part } of call as AsyncIterable<PushRequest>) {
    if (part?.$case !== "chunk") continue;
    vector.set(part.value, at);
    at += part.value.byteLength;
  }
  respond(null, { outcome: PushOutcome.PUSH_OUTCOME_ACCEPTED, reason: String(at) });
}

async function give(call: ServerWritableStream<PullRequest, PullResponse>) {
  for (const chunk of chunksOf(vector)) await writeMessage(call, { chunk: chunk as Buffer });
  call.end();
}

const server = createServer();
server.addService(trainingService, {
  session: (call: { end(): void }) => call.end(),
  pull: (call: ServerWritableStream<PullRequest, PullResponse>) => void give(call),
  push: (call: ServerReadableStream<PushRequest, PushResponse>, respond: sendUnaryData<PushResponse>) =>
    void take(call, respond).catch((error) => respond(toServiceError(error))),
});
const grpcPort = await new Promise<number>((resolve, reject) => {
  server.bindAsync("127.0.0.1:0", planeOfEnvironment().server, (error, port) =>
    error ? reject(error) : resolve(port),
  );
});
const raw = await serveRaw(vector, vector);
process.on("disconnect", () => process.exit(0));
process.send?.({ grpcPort, rawPort: raw.port } satisfies PeerMessage);
