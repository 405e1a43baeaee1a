// Routes with who may ask: a request that may not is answered before its route sees it.

import type { ServerResponse } from "node:http";
import { type ErrorCode, PlumeError } from "../errors.ts";
import { decideAccess, type Need } from "./access.ts";
import { type Route, reply } from "./server.ts";

interface GuardedRoute {
  readonly needs: Need;
  readonly handle: Route;
}

export type GuardedRoutes = Readonly<Record<string, GuardedRoute>>;

/** The same need for all of these. */
export const needing = (needs: Need, routes: Readonly<Record<string, Route>>): GuardedRoutes =>
  Object.fromEntries(Object.entries(routes).map(([key, handle]) => [key, { needs, handle }]));

export function guarded(routes: GuardedRoutes, token: string | null): Record<string, Route> {
  return Object.fromEntries(Object.entries(routes).map(([key, route]) => [key, guard(route, token)]));
}

function guard({ needs, handle }: GuardedRoute, token: string | null): Route {
  return async (request) => {
    const { incoming, response } = request;
    response.setHeader("cross-origin-resource-policy", "same-origin");
    const verdict = decideAccess(needs, incoming.headers, token);
    if (verdict.kind === "refuse") return refuse(response, verdict.status, verdict);
    try {
      await handle(request);
    } catch (error) {
      if (!(error instanceof PlumeError) || response.headersSent) throw error;
      refuse(response, STATUS[error.code], { reason: error.message, remedy: error.remedy });
    }
  };
}

/** Of an error's code. */
export const STATUS: Readonly<Record<ErrorCode, number>> = {
  INVALID_ARGUMENT: 400,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  FAILED_PRECONDITION: 409,
  STALE: 409,
  DATA_LOSS: 500,
  RESOURCE_EXHAUSTED: 503,
  DEADLINE_EXCEEDED: 504,
  UNAVAILABLE: 503,
  NUMERICS: 500,
  INTERRUPTED: 503,
  INTERNAL: 500,
};

export function json(response: ServerResponse, status: number, value: unknown): void {
  response.setHeader("cache-control", "no-store");
  reply(response, status, "application/json", `${JSON.stringify(value)}\n`);
}

export function refuse(
  response: ServerResponse,
  status: number,
  {
    reason,
    remedy,
    ...more
  }: { readonly reason: string; readonly remedy: string | undefined; readonly field?: string },
): void {
  response.setHeader("connection", "close"); // what was sent along is not read
  json(response, status, { error: { message: reason, remedy: remedy ?? null, ...more } });
}
