// Wires the services to one gRPC server: training, control, health, reflection.

import { fileURLToPath } from "node:url";
import type { Server, ServerCredentials, ServerWritableStream, sendUnaryData } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";
import { HealthImplementation } from "grpc-health-check";
import { ControlServiceService } from "../../proto/gen/plume/v1/control.ts";
import type { PullRequest, PullResponse, PushResponse } from "../../proto/gen/plume/v1/training.ts";
import { PlumeError } from "../../shared/errors.ts";
import { listenHost } from "../../shared/listen-host.ts";
import { asset } from "../../shared/root.ts";
import type { Plane } from "../../shared/rpc/tls/plane.ts";
import { refusalOf } from "../../shared/rpc/tls/trouble.ts";
import { trainingService } from "../../shared/rpc/training-service.ts";
import { createServer, joinAddress, splitAddress } from "../../shared/rpc/transport.ts";
import type { ControlHandlers } from "./control.ts";
import { handlePull, type PullSource } from "./pull.ts";
import { handlePush, type PushCall, type PushTarget } from "./push.ts";
import type { Sessions } from "./session.ts";

/** How long open calls may take to end before they are cut. */
const DRAIN_MS = 3_000;

export interface CoordinatorServer {
  /** host:port that workers dial. */
  readonly address: string;
  close(): Promise<void>;
}

/** A server that has its port but answers nothing yet. */
export interface BoundServer {
  readonly server: Server;
  /** host:port that workers dial. */
  readonly address: string;
}

/**
 * @param onRefused why a connection did not become one; the same reason is told once.
 * @throws PlumeError FAILED_PRECONDITION when the port is taken.
 */
export async function bindServer(
  listen: string,
  plane: Plane,
  onRefused: (reason: string) => void,
): Promise<BoundServer> {
  if (!/^.+:\d+$/.test(listen))
    throw new PlumeError("INVALID_ARGUMENT", `--listen ${listen} is no HOST:PORT`, {
      remedy: "for example --listen 127.0.0.1:0",
    });
  let told = "";
  const server = createServer((error, peer) => {
    const reason = refusalOf(error, peer);
    if (reason !== told) onRefused(reason);
    told = reason;
  });
  const asked = splitAddress(listen);
  const host = listenHost(asked.host);
  const port = await bind(server, joinAddress(host, asked.port), plane.server);
  return { server, address: joinAddress(host, port) };
}

/** Puts the services on a bound server. */
export function serve(
  { server, address }: BoundServer,
  sessions: Sessions,
  tensors: PullSource & PushTarget,
  control: ControlHandlers,
): CoordinatorServer {
  server.addService(trainingService, {
    session: (stream: Parameters<Sessions["handle"]>[0]) => sessions.handle(stream),
    pull: (call: ServerWritableStream<PullRequest, PullResponse>) => void handlePull(tensors, call),
    push: (call: PushCall, respond: sendUnaryData<PushResponse>) => void handlePush(tensors, call, respond),
  });
  server.addService(ControlServiceService, control);
  const health = new HealthImplementation({ "": "SERVING", "plume.v1.TrainingService": "SERVING" });
  health.addToServer(server);
  new ReflectionService(loadProtos()).addToServer(server);
  return {
    address,
    async close() {
      health.setStatus("", "NOT_SERVING");
      await new Promise<void>((resolve) => {
        // A client that is gone without a word never closes its end: its connection is cut, and nobody waits for it.
        const cut = setTimeout(() => {
          server.forceShutdown();
          resolve();
        }, DRAIN_MS);
        server.tryShutdown(() => {
          clearTimeout(cut);
          resolve();
        });
      });
    },
  };
}

function bind(server: Server, listen: string, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(listen, credentials, (error, port) => {
      if (!error) return resolve(port);
      const remedy = "choose another port with --listen HOST:PORT, or port 0 for any free one";
      reject(
        new PlumeError("FAILED_PRECONDITION", `cannot listen on ${listen}: ${error.message}`, { remedy, cause: error }),
      );
    });
  });
}

function loadProtos() {
  const folder = fileURLToPath(asset("proto"));
  return loadSync(["plume/v1/training.proto", "plume/v1/control.proto"], { includeDirs: [folder] });
}
