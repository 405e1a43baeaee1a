// What opens the page of a run. A token that was given is needed wherever the server listens; one is made where the server
// can be reached from elsewhere and none was given, and is kept in the run's folder, for this user alone.

import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { newToken, SHORTEST_TOKEN } from "../../shared/http/token.ts";

const FILE = "page-token";

/** The one of an earlier life of this run, so that open pages go on, or a new one. */
export function keptToken(folder: string): string {
  const file = join(folder, FILE);
  const kept = existsSync(file) ? readFileSync(file, "utf8").trim() : "";
  if (kept.length >= SHORTEST_TOKEN) return kept;
  const token = newToken();
  writeFileSync(file, `${token}\n`, { mode: 0o600 });
  chmodSync(file, 0o600); // it may have been there, with other rights
  return token;
}
