// The kubelet's own server, which the API server asks for what `kubectl logs` shows.

import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Container } from "./container.ts";
import type { Runner } from "./runner.ts";

export interface LogServer extends AsyncDisposable {
  readonly port: number;
}

export interface LogServerOptions {
  readonly host: string;
  readonly cert: string;
  readonly key: string;
  /** @returns null when there is none. */
  readonly find: (namespace: string, pod: string, container: string) => Runner | null;
}

const LOOK_MS = 100;

export async function startLogServer({ host, cert, key, find }: LogServerOptions): Promise<LogServer> {
  const server = createServer({ cert, key }, (request, response) => {
    void answer(request, response, find);
  });
  server.listen(0, host);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** GET /containerLogs/NAMESPACE/POD/CONTAINER?follow&previous&tailLines */
async function answer(request: IncomingMessage, response: ServerResponse, find: LogServerOptions["find"]) {
  const refuse = (status: number, why: string) => void response.writeHead(status).end(why);
  const { pathname, searchParams } = new URL(request.url!, "https://kubelet");
  const [, route, namespace = "", pod = "", name = ""] = pathname.split("/");
  const unknown = [...searchParams.keys()].find((each) => !["follow", "previous", "tailLines"].includes(each));
  if (route !== "containerLogs") return refuse(404, `the process kubelet serves no ${pathname}`);
  if (unknown) return refuse(400, `the process kubelet's logs have no ${unknown}`);
  const runner = find(namespace, pod, name);
  if (!runner) return refuse(404, `container ${name} in pod ${pod} is not available`);
  const isPrevious = searchParams.get("previous") === "true";
  const life = isPrevious ? runner.lives.at(-2) : runner.lives.at(-1);
  if (!life && isPrevious) return refuse(400, `previous terminated container "${name}" in pod "${pod}" not found`);
  if (!life)
    return refuse(
      400,
      `container "${name}" in pod "${pod}" is waiting to start: ${runner.status.state.waiting?.reason}`,
    );
  response.writeHead(200, { "content-type": "text/plain" });
  const from = lastLines(life.log, searchParams.get("tailLines"));
  await send(life, from, searchParams.get("follow") === "true", response);
}

async function send(life: Container, from: number, follows: boolean, response: ServerResponse): Promise<void> {
  for (let sent = from; ; ) {
    const isLast = !follows || life.isOver;
    const { log } = life;
    response.write(log.slice(sent));
    sent = log.length;
    if (isLast || response.destroyed) return void response.end();
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** @returns where they begin. */
function lastLines(log: string, count: string | null): number {
  if (count === null) return 0;
  const lines = log.split(/(?<=\n)/);
  return log.length - lines.slice(Math.max(0, lines.length - Number(count))).join("").length;
}
