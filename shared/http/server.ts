// A server of few routes, on one port, for people, Prometheus and probes.

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, isIP } from "node:net";
import { PlumeError } from "../errors.ts";
import { listenHost } from "../listen-host.ts";

interface HttpRequest {
  readonly url: URL;
  readonly incoming: IncomingMessage;
  readonly response: ServerResponse;
}

/** Answers by `reply`, or takes over `response`. */
export type Route = (request: HttpRequest) => void | Promise<void>;

export interface HttpServer {
  readonly port: number;
  /** http://host:port, as one opens it on this machine. */
  readonly url: string;
  /** "GET /metrics" -> route; a path that ends in "/*" takes all below it. From the next request on. */
  route(routes: Readonly<Record<string, Route>>): void;
  close(): Promise<void>;
}

export interface HttpOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** The field that named the port, for the message when it is taken. */
  readonly field: string;
  /** Host names besides IP addresses, localhost and `host` under which requests may come; "any" where a token guards. */
  readonly names?: readonly string[] | "any";
  readonly onError: (error: unknown) => void;
}

const BASE = "http://plume";
const HEADERS_MS = 10_000;

/** Listens; until routes are there everything is answered by 503. @throws PlumeError INVALID_ARGUMENT where it cannot. */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const { host, field, names = [], onError } = options;
  const routes = new Map<string, Route>();
  const known = names === "any" ? null : new Set(["localhost", host.toLowerCase(), ...names.map(lower)]);

  const handle = async (incoming: IncomingMessage, response: ServerResponse) => {
    const asked = incoming.url ?? "/";
    if (!URL.canParse(asked, BASE)) return reply(response, 400, "text/plain", "this is no address\n");
    const url = new URL(asked, BASE);
    if (!isKnown(known, incoming.headers.host)) return reply(response, 421, "text/plain", "another host's name\n");
    if (routes.size === 0) return reply(response, 503, "text/plain", "starting\n");
    const found = find(routes, incoming.method ?? "GET", url.pathname);
    if (Array.isArray(found)) {
      if (found.length === 0) return reply(response, 404, "text/plain", "not found\n");
      response.setHeader("allow", found.join(", "));
      return reply(response, 405, "text/plain", `no ${incoming.method} here: use ${found.join(" or ")}\n`);
    }
    await found({ url, incoming, response });
  };
  const server = createServer({ headersTimeout: HEADERS_MS, requestTimeout: 3 * HEADERS_MS }, (incoming, response) => {
    response.setHeader("x-content-type-options", "nosniff");
    response.on("error", () => {}); // whoever asked is gone
    handle(incoming, response).catch((error) => {
      if (incoming.errored || response.destroyed) return; // whoever asked is gone
      onError(error);
      if (!response.headersSent) reply(response, 500, "text/plain", "an error of plume; its log has it\n");
      else response.destroy();
    });
  });
  server.listen(options.port, listenHost(host));
  await once(server, "listening").catch((error: NodeJS.ErrnoException) => {
    throw new PlumeError("INVALID_ARGUMENT", `${field} ${options.port} on ${host}: ${whyNot(error)}`, {
      remedy: isOfHost(error) ? "name an address of this machine" : `choose another ${field}, or 0 for a free one`,
      cause: error,
    });
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://${reachable(host)}:${port}`,
    route(more) {
      for (const [key, route] of Object.entries(more)) routes.set(key, route);
    },
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

export function reply(response: ServerResponse, status: number, type: string, body: string | Uint8Array): void {
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) });
  response.end(body);
}

/** @returns the methods of that path where this is none of them, and none where there is no such path. */
function find(routes: ReadonlyMap<string, Route>, asked: string, path: string): Route | string[] {
  const method = asked === "HEAD" ? "GET" : asked;
  const below = (key: string) => key.endsWith("/*") && path.startsWith(key.slice(key.indexOf(" ") + 1, -1));
  const matches = [...routes].filter(([key]) => key.slice(key.indexOf(" ") + 1) === path || below(key));
  const exactFirst = matches.sort(([a], [b]) => b.length - a.length);
  const [, route] = exactFirst.find(([key]) => key.startsWith(`${method} `)) ?? [];
  return route ?? [...new Set(matches.map(([key]) => key.slice(0, key.indexOf(" "))))];
}

/** A page of another site reaches an address here only under that site's name. */
function isKnown(known: ReadonlySet<string> | null, header: string | undefined): boolean {
  if (known === null || header === undefined) return true; // HTTP/1.0: no browser
  const name = header
    .replace(/:\d+$/, "")
    .replace(/^\[(.*)\]$/, "$1")
    .toLowerCase();
  return isIP(name) !== 0 || known.has(name);
}

const lower = (name: string): string => name.toLowerCase();

function reachable(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return isIP(host) === 6 ? `[${host}]` : host;
}

const isOfHost = ({ code }: NodeJS.ErrnoException) => code === "EADDRNOTAVAIL" || code === "ENOTFOUND";

function whyNot(error: NodeJS.ErrnoException): string {
  if (error.code === "EADDRINUSE") return "is taken by another process";
  if (error.code === "EACCES") return "may not be used by this user";
  if (error.code === "EADDRNOTAVAIL") return "is no address of this machine";
  if (error.code === "ENOTFOUND") return "is no name that can be found";
  return error.message;
}
