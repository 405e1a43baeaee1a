// Who may ask what over HTTP. Pure: headers in, a verdict with its reason out.
//
// I1. Where there is a token, it is needed for everything that says something of a run or changes it.
// I2. Without one (the server is on loopback alone) a browser that shows another site's page can neither act nor see: what
//     acts needs a header that such a page cannot send unasked, an origin that is this server's own, and JSON.
// I3. A token is compared in a time that does not depend on how much of it is right.

import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";
import { quoted } from "../errors.ts";

/** nothing: the same for everybody, health and the page's own files. see: what a run does. act: change it. */
export type Need = "nothing" | "see" | "act";

export type Verdict =
  | { readonly kind: "allow" }
  | { readonly kind: "refuse"; readonly status: 401 | 403 | 415; readonly reason: string; readonly remedy: string };

/** Sent with what acts: a form cannot, and a script of another site would have to ask first. */
const PROOF_HEADER = "x-plume";

export function decideAccess(need: Need, headers: IncomingHttpHeaders, token: string | null): Verdict {
  if (need === "nothing") return { kind: "allow" };
  if (token !== null) {
    const given = bearer(headers.authorization);
    if (given === null) return refuse(401, "this needs the run's token", NEEDS_TOKEN);
    if (!isSame(given, token)) return refuse(401, "this is not the run's token", NEEDS_TOKEN);
  }
  if (headers["sec-fetch-site"] === "cross-site" || headers["sec-fetch-site"] === "same-site")
    return refuse(403, "the request comes from a page of another site", "open the run's own page");
  if (headers.origin !== undefined && !isOwnOrigin(headers))
    return refuse(403, `the request comes from ${quoted(headers.origin)}`, "open the run's own page");
  if (need === "see") return { kind: "allow" };
  if (headers[PROOF_HEADER] === undefined)
    return refuse(403, `a command needs the header ${PROOF_HEADER}`, `send ${PROOF_HEADER}: 1`);
  if (!/^application\/json\s*(;|$)/i.test(headers["content-type"] ?? ""))
    return refuse(415, `a command comes as JSON, not as ${quoted(headers["content-type"] ?? "nothing")}`, AS_JSON);
  return { kind: "allow" };
}

/** Reached from this machine alone. A name that may point anywhere is taken for not. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

const NEEDS_TOKEN = "send it as authorization: Bearer TOKEN; plume train prints it, or the job and PLUME_TOKEN have it";
const AS_JSON = "send content-type: application/json";

const refuse = (status: 401 | 403 | 415, reason: string, remedy: string): Verdict => ({
  kind: "refuse",
  status,
  reason,
  remedy,
});

const bearer = (header: string | undefined): string | null => /^Bearer +(\S+)$/i.exec(header ?? "")?.[1] ?? null;

const isSame = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b));

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

/** Under the name it was asked by, or by which a proxy before it was. */
function isOwnOrigin({ origin, host, "x-forwarded-host": forwarded }: IncomingHttpHeaders): boolean {
  if (!URL.canParse(origin ?? "")) return false; // "null", of a page without an origin
  const from = new URL(origin!).host;
  return from !== "" && [host, forwarded].some((name) => typeof name === "string" && name.toLowerCase() === from);
}
