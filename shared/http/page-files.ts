// A page's own files, the same for everybody: in memory, with a tag by which a browser knows that it has them.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { BUNDLE } from "../root.ts";
import { type GuardedRoutes, needing } from "./guard.ts";
import type { Route } from "./server.ts";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** Nothing inline, nothing from elsewhere, in nobody's frame. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

interface PageFile {
  readonly name: string;
  readonly contents: Uint8Array;
}

/** @param folder of the bundle that holds them. @param build makes them where this process runs from the sources. */
export async function pageRoutes(folder: string, build: () => Promise<readonly PageFile[]>): Promise<GuardedRoutes> {
  const files = BUNDLE ? filesIn(join(BUNDLE, folder)) : await build();
  const routes = await Promise.all(
    files.map(async ({ name, contents }) => {
      const path = name === "index.html" ? "" : name;
      return [`GET /${path}`, await fileRoute(name, contents)] as const;
    }),
  );
  return needing("nothing", Object.fromEntries(routes));
}

const filesIn = (folder: string) =>
  readdirSync(folder).map((name) => ({ name, contents: readFileSync(join(folder, name)) }));

async function fileRoute(name: string, plain: Uint8Array): Promise<Route> {
  const packed = await promisify(gzip)(plain);
  const tag = `"${createHash("sha256").update(plain).digest("base64url").slice(0, 22)}"`;
  return ({ incoming, response }) => {
    const zipped = /\bgzip\b/.test(String(incoming.headers["accept-encoding"] ?? ""));
    const body = zipped ? packed : plain;
    const isKnown = incoming.headers["if-none-match"] === tag;
    response.writeHead(isKnown ? 304 : 200, {
      "content-type": TYPES[extname(name)],
      "content-security-policy": POLICY,
      "referrer-policy": "no-referrer",
      "cache-control": "no-cache",
      etag: tag,
      vary: "accept-encoding",
      ...(isKnown ? {} : { "content-length": body.length }),
      ...(zipped && !isKnown ? { "content-encoding": "gzip" } : {}),
    });
    response.end(isKnown ? undefined : body);
  };
}
