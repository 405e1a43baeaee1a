// What opens the page of a run. A token that was given is needed wherever the server listens; one is made where the server
// can be reached from elsewhere and none was given, and is kept in the run's folder, for this user alone.

import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PlumeError } from "../../shared/errors.ts";

const SHORTEST = 16;
const FILE = "page-token";

/** PLUME_TOKEN, taken out of the environment so that no process of this one inherits it; null without. @throws PlumeError */
export function tokenOfEnvironment(): string | null {
  const token = process.env.PLUME_TOKEN;
  delete process.env.PLUME_TOKEN;
  if (!token) return null;
  if (token.length >= SHORTEST && /^\S+$/.test(token)) return token;
  throw new PlumeError("INVALID_ARGUMENT", `PLUME_TOKEN has ${token.length} characters`, {
    remedy: `give it ${SHORTEST} or more, without spaces, for example: openssl rand -hex 32`,
  });
}

/** The one of an earlier life of this run, so that open pages go on, or a new one. */
export function keptToken(folder: string): string {
  const file = join(folder, FILE);
  const kept = existsSync(file) ? readFileSync(file, "utf8").trim() : "";
  if (kept.length >= SHORTEST) return kept;
  const token = randomBytes(32).toString("base64url");
  writeFileSync(file, `${token}\n`, { mode: 0o600 });
  chmodSync(file, 0o600); // it may have been there, with other rights
  return token;
}
