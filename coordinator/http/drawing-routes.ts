// Images of a run while it goes on: what is asked at /v1/ goes to the process that draws, and its answers come back.

import { type IncomingMessage, request } from "node:http";
import { pipeline } from "node:stream/promises";
import { readBody } from "../../shared/http/body.ts";
import { type GuardedRoutes, needing, refuse } from "../../shared/http/guard.ts";
import { MOST_BYTES, TOO_LARGE } from "../../shared/http/images-api.ts";
import type { Route } from "../../shared/http/server.ts";
import { createDrawingProcess, type DrawingAddress, type DrawingProcess } from "./drawing-process.ts";
import type { RouteProvider } from "./provider.ts";

/** Nobody asked for so long. */
const IDLE_MS = 5 * 60_000;
const ASKED = ["accept", "content-type"];
const ANSWERED = ["content-type", "content-length", "cache-control", "retry-after", "x-accel-buffering"];

/** @param idleMs after which the process ends. */
export function createDrawing(idleMs = IDLE_MS): RouteProvider {
  let drawing: DrawingProcess | null = null;
  return {
    routes({ folder }): GuardedRoutes {
      drawing = createDrawingProcess(folder, idleMs);
      const pass = passTo(drawing);
      return {
        ...needing("see", { "GET /v1/model": pass, "GET /v1/images/*": pass }),
        ...needing("act", { "POST /v1/images": pass }), // it takes the machine's time
      };
    },
    close: () => drawing?.close(),
  };
}

const passTo =
  (drawing: DrawingProcess): Route =>
  async ({ incoming, response, url }) => {
    const body = await readBody(incoming, MOST_BYTES);
    if (body === null) return refuse(response, 413, TOO_LARGE);
    await drawing.use(async (address) => {
      const gone = new AbortController();
      response.on("close", () => gone.abort());
      if (response.destroyed) return;
      try {
        const answer = await answerOf(address, incoming, url.pathname, body, gone.signal);
        response.writeHead(answer.statusCode!, picked(answer.headers, ANSWERED));
        await pipeline(answer, response);
      } catch (error) {
        if (gone.signal.aborted) return;
        if (response.headersSent) response.destroy();
        else throw error;
      }
    });
  };

function answerOf(
  { url, token }: DrawingAddress,
  { method, headers }: IncomingMessage,
  path: string,
  body: Buffer,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = { ...picked(headers, ASKED), authorization: `Bearer ${token}` };
    const sent = request(new URL(path, url), { method: method!, headers: asked, agent: false, signal }, resolve);
    sent.on("error", reject);
    sent.end(body);
  });
}

const picked = (headers: IncomingMessage["headers"], names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.flatMap((name) => (headers[name] === undefined ? [] : [[name, String(headers[name])]])));
