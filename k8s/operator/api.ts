// The API server as a client of few words: JSON in, JSON out, every call with an end. client-node's KubeConfig says where it
// is and who we are (also with rotated tokens, exec plugins, OIDC); the wire is node:https, because client-node's own calls
// have no time-outs, and its watches hang for ever on a server that went silent.

import type { IncomingMessage } from "node:http";
import { Agent, type RequestOptions, request } from "node:https";
import type { KubeConfig } from "@kubernetes/client-node";
import { PlumeError } from "../../shared/errors.ts";

/** metav1.Status of a refusal. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly code: number;
  /** NotFound, Conflict, AlreadyExists, Invalid, Forbidden, ... */
  readonly reason: string;

  constructor(code: number, reason: string, message: string) {
    super(message);
    this.code = code;
    this.reason = reason;
  }
}

export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly contentType?: string;
}

export interface Api {
  /** @throws ApiError what the server refused, PlumeError UNAVAILABLE or DEADLINE_EXCEEDED where there was no answer. */
  call<T>(call: Call, signal?: AbortSignal): Promise<T>;
  /** Lines of a watch as they come; ends when the server ends it. @throws as `call`. */
  lines(call: Call, signal: AbortSignal): AsyncIterable<string>;
  close(): void;
}

export interface ApiOptions {
  readonly config: KubeConfig;
  /** Before every call; what it throws fails the call. */
  readonly before?: (call: Call) => void;
  /** Told of every call that was made, for metrics and tests. */
  readonly after?: (call: Call, outcome: "ok" | "refused" | "failed") => void;
}

const TIMEOUT_MS = 30_000;
/** A watch is ended by the server after two minutes (informer.ts), and need not say a word before: after this, nobody is there. */
const SILENCE_MS = 150_000;

export function createApi({ config, before, after }: ApiOptions): Api {
  const server = config.getCurrentCluster()?.server;
  if (!server)
    throw new PlumeError("FAILED_PRECONDITION", "no cluster is configured", {
      remedy: "set KUBECONFIG, or run the operator in a cluster with a service account",
    });
  const agents = keptAgent();

  const open = async (call: Call, timeoutMs: number, signal: AbortSignal | undefined): Promise<IncomingMessage> => {
    before?.(call);
    const { method, path, query, body, contentType = "application/json" } = call;
    const url = new URL(server.replace(/\/$/, "") + path);
    for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value);
    const credentials: RequestOptions = {};
    await config.applyToHTTPSOptions(credentials);
    const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    return new Promise((resolve, reject) => {
      const headers = {
        accept: "application/json",
        "user-agent": "plume-operator",
        ...credentials.headers,
        ...(payload && { "content-type": contentType, "content-length": payload.byteLength }),
      };
      const outgoing = request(
        url,
        { method, agent: agents.for(credentials), headers, ...(signal && { signal }), auth: credentials.auth ?? null },
        (incoming) => {
          incoming.setTimeout(timeoutMs, () => incoming.destroy(silent(call, timeoutMs)));
          resolve(incoming);
        },
      );
      outgoing.setTimeout(timeoutMs, () => outgoing.destroy(silent(call, timeoutMs)));
      outgoing.on("error", (cause) => reject(unreachable(call, cause)));
      outgoing.end(payload);
    });
  };

  const answered = async <T>(run: () => Promise<T>, call: Call): Promise<T> => {
    try {
      const result = await run();
      after?.(call, "ok");
      return result;
    } catch (error) {
      after?.(call, error instanceof ApiError ? "refused" : "failed");
      throw error;
    }
  };

  return {
    call: <T>(call: Call, signal?: AbortSignal) =>
      answered(async () => {
        const incoming = await open(call, TIMEOUT_MS, signal);
        const text = await textOf(incoming, call);
        if ((incoming.statusCode ?? 500) >= 300) throw refusalOf(incoming.statusCode ?? 500, text);
        return (text === "" ? {} : JSON.parse(text)) as T;
      }, call),

    async *lines(call, signal) {
      const incoming = await answered(async () => {
        const opened = await open(call, SILENCE_MS, signal);
        if ((opened.statusCode ?? 500) >= 300) throw refusalOf(opened.statusCode ?? 500, await textOf(opened, call));
        return opened;
      }, call);
      yield* linesOf(incoming, call);
    },

    close: () => agents.close(),
  };
}

/** One agent for as long as the certificates are the same: connections are kept. */
function keptAgent() {
  let agent: Agent | null = null;
  let key = "";
  return {
    for({ ca, cert, key: secret, servername, rejectUnauthorized }: RequestOptions): Agent {
      const next = [ca, cert, secret, servername, rejectUnauthorized].map(String).join("\n");
      if (agent && next === key) return agent;
      agent?.destroy();
      key = next;
      agent = new Agent({
        keepAlive: true,
        maxSockets: 64,
        ...(ca && { ca }),
        ...(cert && { cert }),
        ...(secret && { key: secret }),
        ...(servername && { servername }),
        ...(rejectUnauthorized === false && { rejectUnauthorized }),
      });
      return agent;
    },
    close: () => agent?.destroy(),
  };
}

async function textOf(incoming: IncomingMessage, call: Call): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
  } catch (cause) {
    throw unreachable(call, cause);
  }
  return Buffer.concat(chunks).toString("utf8");
}

async function* linesOf(incoming: IncomingMessage, call: Call): AsyncIterable<string> {
  let rest = "";
  incoming.setEncoding("utf8");
  try {
    for await (const chunk of incoming) {
      const parts = (rest + (chunk as string)).split("\n");
      rest = parts.pop()!;
      for (const line of parts) if (line) yield line;
    }
  } catch (cause) {
    throw unreachable(call, cause);
  } finally {
    incoming.destroy();
  }
}

function refusalOf(code: number, text: string): ApiError {
  try {
    const { reason, message } = JSON.parse(text) as { reason?: string; message?: string };
    return new ApiError(code, reason ?? "Unknown", message ?? text);
  } catch {
    return new ApiError(code, "Unknown", text.slice(0, 500) || `HTTP ${code}`);
  }
}

const shown = ({ method, path }: Call): string => `${method} ${path}`;

const silent = (call: Call, ms: number): PlumeError =>
  new PlumeError("DEADLINE_EXCEEDED", `the API server has not answered ${shown(call)} for ${ms / 1000} s`);

function unreachable(call: Call, cause: unknown): Error {
  if (cause instanceof PlumeError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new PlumeError("UNAVAILABLE", `the API server does not answer ${shown(call)}: ${reason}`, { cause });
}
