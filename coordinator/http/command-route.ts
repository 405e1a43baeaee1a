// POST /api/cmd/<verb> {id, args}: to the desk, and its answer back.

import { readBody } from "../../shared/http/body.ts";
import { type GuardedRoutes, json, needing, refuse, STATUS } from "../../shared/http/guard.ts";
import type { Desk } from "../control/desk.ts";

/** A command is a few words. */
const MOST_BYTES = 16 << 10;
const PATH = "/api/cmd/";

export const commandRoutes = (desk: Desk): GuardedRoutes =>
  needing("act", {
    async [`POST ${PATH}*`]({ url, incoming, response }) {
      const body = await readBody(incoming, MOST_BYTES);
      if (body === null)
        return refuse(response, 413, {
          reason: `the command is larger than ${MOST_BYTES} bytes`,
          remedy: "send {id, args} alone",
        });
      const asked = parse(body);
      if (asked === null)
        return refuse(response, 400, {
          reason: "the command is no JSON object",
          remedy: 'send {"id": "...", "args": {...}}, with an id of its own',
        });
      const { id, args = {} } = asked;
      const verb = url.pathname.slice(PATH.length);
      const answer = await desk.ask({ id: typeof id === "string" ? id : "", verb, args, by: "HTTP" });
      json(response, answer.ok ? 200 : STATUS[answer.error.code], answer);
    },
  });

function parse(body: Buffer): { readonly id?: unknown; readonly args?: unknown } | null {
  try {
    const value: unknown = JSON.parse(body.toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
