// The token that guards a server: given by the environment, or made.

import { randomBytes } from "node:crypto";
import { PlumeError } from "../errors.ts";

export const SHORTEST_TOKEN = 16;

/** PLUME_TOKEN, taken out of the environment so that no process of this one inherits it; null without. @throws PlumeError */
export function tokenOfEnvironment(): string | null {
  const token = process.env.PLUME_TOKEN;
  delete process.env.PLUME_TOKEN;
  if (!token) return null;
  if (token.length >= SHORTEST_TOKEN && /^\S+$/.test(token)) return token;
  throw new PlumeError("INVALID_ARGUMENT", `PLUME_TOKEN has ${token.length} characters`, {
    remedy: `give it ${SHORTEST_TOKEN} or more, without spaces, for example: openssl rand -hex 32`,
  });
}

export const newToken = (): string => randomBytes(32).toString("base64url");
