// A real NATS server on loopback.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { connect as dial } from "node:net";
import { connect, type NatsConnection, type NodeConnectionOptions } from "@nats-io/transport-node";
import { cacheFolder } from "../../shared/cache-folder.ts";
import { PlumeError } from "../../shared/errors.ts";
import { scratchFolder } from "./plume.ts";
import { freePort, killed, pause } from "./processes.ts";

const READY_SECONDS = 30;

export interface NatsServerOptions {
  /** Keeps streams and buckets; on by default. */
  readonly jetstream?: boolean;
  /** More of its configuration: users, TLS, limits. */
  readonly config?: string;
}

export interface NatsServer extends AsyncDisposable {
  /** host:port */
  readonly address: string;
  readonly url: string;
  readonly pid: number;
  /** A connection of its own, closed with the server. */
  connect(options?: NodeConnectionOptions): Promise<NatsConnection>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGSTOP: its sockets stay open, and nothing answers. */
  freeze(): void;
  thaw(): void;
  /** Starts it again at the same address, on what it has stored; with another configuration where one is given. */
  restart(options?: NatsServerOptions): Promise<void>;
}

/** @throws PlumeError FAILED_PRECONDITION when the server is not built. */
export async function startNatsServer(options: NatsServerOptions = {}): Promise<NatsServer> {
  const binary = cacheFolder("nats-server/current/nats-server");
  if (!existsSync(binary))
    throw new PlumeError("FAILED_PRECONDITION", `the NATS server of the tests is not in ${binary}`, {
      remedy: "npm run setup:nats",
    });
  const scratch = scratchFolder();
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  const connections: NatsConnection[] = [];
  let server: ChildProcess | null = null;

  const start = async ({ jetstream = true, config = "" }: NatsServerOptions = options): Promise<void> => {
    const file = scratch.file("nats.conf");
    const storage = jetstream ? `jetstream { store_dir: "${scratch.file("data")}" }` : "";
    writeFileSync(file, `listen: "${address}"\n${storage}\n${config}\n`);
    const child = spawn(binary, ["-c", file], { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => {
        output = `${output}${chunk}`.slice(-20_000);
      });
    server = child;
    const end = Date.now() + READY_SECONDS * 1000;
    while (!(await greets(port))) {
      if (child.exitCode !== null) throw new Error(`nats-server ended with ${child.exitCode}: ${output}`);
      if (Date.now() > end) throw new Error(`nats-server is not ready within ${READY_SECONDS} s: ${output}`);
      await pause(20);
    }
  };
  const kill = async (): Promise<void> => {
    const child = server;
    server = null;
    await killed(child);
  };
  const dispose = async (): Promise<void> => {
    for (const connection of connections) await connection.close();
    await kill();
    scratch[Symbol.dispose]();
  };
  try {
    await start();
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    address,
    url: `nats://${address}`,
    get pid() {
      return server!.pid!;
    },
    async connect(more = {}) {
      const connection = await connect({ servers: address, maxReconnectAttempts: -1, reconnectTimeWait: 100, ...more });
      connections.push(connection);
      return connection;
    },
    kill,
    freeze: () => void server?.kill("SIGSTOP"),
    thaw: () => void server?.kill("SIGCONT"),
    restart: start,
    [Symbol.asyncDispose]: dispose,
  };
}

/** It says INFO to whoever connects, before TLS and before credentials. */
function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = dial(port, "127.0.0.1");
    const settle = (ready: boolean) => {
      socket.destroy();
      resolve(ready);
    };
    socket.on("data", (bytes) => settle(bytes.toString("latin1").startsWith("INFO ")));
    socket.on("error", () => settle(false));
    socket.on("close", () => resolve(false));
  });
}
