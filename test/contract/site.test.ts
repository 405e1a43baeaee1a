import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BlocksAnswer, HistoryAnswer } from "../../coordinator/http/api.ts";
import { linesOf, scratchFolder, until } from "../support/plume.ts";
import { type OpenedSite, openSite, stepEvent, writeHistory } from "../support/site.ts";

const TOKEN = "0123456789abcdef-right";
const PROOF = { "x-plume": "1", "content-type": "application/json" };
const COMMAND = { id: "one", args: {} };

interface Answer {
  readonly status: number;
  readonly body: string;
}

interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
}

/** As it is: no header is added, no path is made neat. */
function send(url: string, path: string, { method = "GET", headers = {}, body }: Asked = {}): Promise<Answer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, method, headers, agent: false }, (response: IncomingMessage) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (piece) => {
        text += piece;
        if (response.headers["content-type"] === "text/event-stream") response.destroy();
      });
      response.on("error", () => {});
      response.on("close", () => resolve({ status: response.statusCode!, body: text }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const errorsIn = (folder: string) =>
  linesOf(`${folder}/logs/coordinator.log`).filter((line) => JSON.parse(line).level >= 50);

describe("the site of a run on loopback", () => {
  const scratch = scratchFolder();
  let site: OpenedSite;
  beforeAll(async () => {
    mkdirSync(scratch.path, { recursive: true });
    writeHistory(scratch.path, 10_000);
    site = await openSite({ folder: scratch.path });
    writeFileSync(scratch.file("samples", "step-00000100.png"), "a picture");
    writeFileSync(scratch.file("job.yaml"), "secret: yes");
  });
  afterAll(async () => {
    await site.close();
    scratch[Symbol.dispose]();
  });
  const ask = (path: string, asked?: Asked) => send(site.url, path, asked);
  const pause = (headers: Record<string, string>, body: string | Buffer = JSON.stringify(COMMAND)) =>
    ask("/api/cmd/pause", { method: "POST", headers, body });

  it("shows the run, takes a command that proves where it comes from, and carries it out once", async () => {
    expect(JSON.parse((await ask("/api/run")).body)).toMatchObject({ job: "tiny", status: { phase: "Training" } });
    const own = { ...PROOF, origin: site.url, "sec-fetch-site": "same-origin" };
    const body = JSON.stringify({ id: "mine", args: {} });
    for (let i = 0; i < 2; i++)
      expect(JSON.parse((await pause(own, body)).body)).toMatchObject({ ok: true, result: { alreadyPaused: false } });
    expect(site.paused()).toBe("asked to pause (HTTP)");
    await ask("/api/cmd/resume", { method: "POST", headers: own, body: JSON.stringify({ id: "again" }) });
    expect(site.paused()).toBeNull();
  });

  it.each([
    ["without the header that a form cannot send", 403, { "content-type": "application/json" }, "x-plume"],
    ["from another origin", 403, { ...PROOF, origin: "http://evil.example" }, "http://evil.example"],
    ["from another port of this machine", 403, { ...PROOF, origin: "http://127.0.0.1:1" }, "http://127.0.0.1:1"],
    ["from a page without an origin", 403, { ...PROOF, origin: "null" }, "null"],
    ["from another site's page by its own word", 403, { ...PROOF, "sec-fetch-site": "cross-site" }, "another site"],
    ["as text", 415, { "x-plume": "1", "content-type": "text/plain" }, "text/plain"],
    ["as a form", 415, { "x-plume": "1", "content-type": "application/x-www-form-urlencoded" }, "JSON"],
    ["of no type", 415, { "x-plume": "1" }, "JSON"],
    ["under a name that was made to point here", 421, { ...PROOF, host: "evil.example" }, "another host"],
    ["through a proxy that another page names", 403, { ...PROOF, origin: "http://undefined" }, "undefined"],
  ] as const)("refuses a command %s by %i, and does nothing", async (_, status, headers, named) => {
    const answer = await pause(headers as Record<string, string>);
    expect(answer.status).toBe(status);
    expect(answer.body).toContain(named);
    expect(site.paused()).toBeNull();
  });

  it.each([
    [
      "larger than a command is",
      413,
      JSON.stringify({ id: "x", args: { reason: "x".repeat(20_000) } }),
      "larger than 16384 bytes",
    ],
    ["that is no JSON", 400, "{", "no JSON object"],
    ["that is a list", 400, "[]", "no JSON object"],
    ["without an id", 400, "{}", "the request's id has 0 characters"],
    ["with arguments that it does not take", 400, '{"id":"y","args":{"x":1}}', "pause: "],
  ])("refuses a command %s by %i", async (_, status, body, named) => {
    const answer = await pause(PROOF, body);
    expect(answer.status).toBe(status);
    expect(answer.body).toContain(named);
    expect(site.paused()).toBeNull();
  });

  it("refuses a body that grows beyond the limit without having said so, and reads no more of it", async () => {
    const { hostname, port } = new URL(site.url);
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => {
        socket.write(
          `POST /api/cmd/pause HTTP/1.1\r\nHost: ${hostname}:${port}\r\nx-plume: 1\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`,
        );
        const piece = `2000\r\n${"x".repeat(0x2000)}\r\n`;
        socket.write(piece.repeat(64));
      });
      socket.once("data", (data) => {
        socket.destroy();
        resolve(String(data));
      });
      socket.once("error", reject);
    });
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
  });

  it("names an unknown command, and one that must be asked by POST", async () => {
    const unknown = await ask("/api/cmd/explode", { method: "POST", headers: PROOF, body: JSON.stringify(COMMAND) });
    expect([unknown.status, unknown.body]).toEqual([400, expect.stringContaining("explode")]);
    expect((await ask("/api/cmd/pause")).status).toBe(405);
  });

  it("does not show a run to another site's page, nor let it be framed", async () => {
    expect((await ask("/api/run", { headers: { "sec-fetch-site": "cross-site" } })).status).toBe(403);
    expect((await ask("/api/run", { headers: { host: "evil.example" } })).status).toBe(421);
    const page = await fetch(site.url);
    expect(page.headers.get("content-security-policy")).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
    expect(page.headers.get("content-security-policy")).not.toContain("unsafe");
    expect((await fetch(`${site.url}/api/run`)).headers.get("access-control-allow-origin")).toBeNull();
  });

  it("serves the page by relative addresses alone, and says when a browser has it already", async () => {
    const page = await fetch(site.url);
    const html = await page.text();
    for (const [, address] of html.matchAll(/(?:src|href)="([^"]+)"/g)) expect(address).toMatch(/^(#|[\w.]+$)/);
    expect(html).not.toMatch(/<style|style="|<script(?![^>]*src=)/);
    const again = await fetch(site.url, { headers: { "if-none-match": page.headers.get("etag")! } });
    expect(again.status).toBe(304);
  });

  it("gives pictures of the run's folder and nothing else of it", async () => {
    expect((await ask("/samples/step-00000100.png")).body).toBe("a picture");
    expect(JSON.parse((await ask("/api/samples")).body)).toEqual([{ step: 100, url: "samples/step-00000100.png" }]);
    for (const path of [
      "../job.yaml",
      "..%2fjob.yaml",
      "%2e%2e/job.yaml",
      "step-1.png/../../job.yaml",
      "step-7.png",
      "step-00000100.png%00",
      "/etc/passwd",
    ]) {
      const { status, body } = await ask(`/samples/${path}`);
      expect([404, 400], path).toContain(status);
      expect(body).not.toContain("secret");
    }
  });

  it("answers for 10,000 steps with as many points as asked for, lows and highs kept, and every step of a short range", async () => {
    const history = async (query: string) => JSON.parse((await ask(`/api/history?${query}`)).body) as HistoryAnswer;
    const all = await history("points=500");
    expect([all.first, all.last, all.perBucket]).toEqual([0, 9_999, 32]);
    expect(all.steps.length).toBe(Math.ceil(10_000 / 32));
    const losses = Array.from({ length: 10_000 }, (_, step) => stepEvent(step).loss);
    expect(Math.max(...all.series.loss.high.map(Number))).toBeCloseTo(Math.max(...losses), 5);
    expect(Math.min(...all.series.loss.low.map(Number))).toBeCloseTo(Math.min(...losses), 5);
    const mean = losses.slice(320, 352).reduce((a, b) => a + b) / 32;
    expect(all.series.loss.mean[10]).toBeCloseTo(mean, 5);
    const some = await history("points=500&from=2000&to=2300");
    expect(some.perBucket).toBe(1);
    expect(some.steps).toEqual(Array.from({ length: 301 }, (_, i) => 2_000 + i));
    expect(some.series.loss.mean[7]).toBeCloseTo(losses[2_007]!, 5);
    const blocks = JSON.parse((await ask("/api/blocks")).body) as BlocksAnswer;
    expect(blocks.workers).toEqual(["worker-0", "worker-1"]);
    expect(blocks.columns.length).toBeLessThanOrEqual(1_025);
    expect(blocks.columns.at(-1)).toEqual([9_999, [0, 2, 0, 2, 4, 1]]);
  });

  it.each(["points=x", "points=1", "points=99999", "from=-1", "to=1e3", "from=9999999999999999999"])(
    "names the query %s",
    async (query) => {
      const { status, body } = await ask(`/api/history?${query}`);
      expect(status).toBe(400);
      expect(body).toContain(query.split("=")[0]!);
    },
  );

  it("survives thousands of requests of any kind: no defect, no socket left, and it still answers", async () => {
    const before = openSockets();
    const path = fc.oneof(
      fc.constantFrom(
        "/",
        "/api/run",
        "/api/history?points=7",
        "/api/blocks",
        "/api/samples",
        "/samples/step-00000100.png",
        "/healthz",
        "/api/cmd/scale",
        "/api/cmd/status",
        "/api/events?after=1-1",
      ),
      fc.webPath().map((text) => `/${text.replace(/^\/+/, "")}`),
      fc.stringMatching(/^[!-~]{0,40}$/).map((text) => `/api/${text}`),
      fc.webQueryParameters().map((text) => `/api/history?${text}`),
      fc.stringMatching(/^[!-~]{0,40}$/).map((text) => `/samples/${text}`),
      fc.stringMatching(/^[!-~]{0,30}$/).map((text) => `/api/cmd/${text}`),
    );
    const headers = fc.dictionary(
      fc.constantFrom(
        "x-plume",
        "content-type",
        "origin",
        "host",
        "authorization",
        "if-none-match",
        "last-event-id",
        "sec-fetch-site",
        "x-forwarded-host",
        "accept-encoding",
        "range",
      ),
      fc.oneof(
        fc.constantFrom("1", "application/json", "null", "gzip", "cross-site", "Bearer x"),
        fc.stringMatching(/^[!-~][ -~]{0,30}$/),
      ),
    );
    const body = fc.oneof(
      fc.string(),
      fc.json(),
      fc
        .record({ id: fc.string(), args: fc.anything() })
        .map((value) => JSON.stringify(value, (_, v) => (typeof v === "bigint" ? null : v))),
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    );
    const method = fc.constantFrom("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH");
    await fc.assert(
      fc.asyncProperty(method, path, headers, body, async (verb, to, with_, what) => {
        const { status } = await ask(to, {
          method: verb,
          headers: with_,
          ...(verb === "POST" || verb === "PUT" ? { body: what as string | Buffer } : {}),
        });
        expect(status).toBeGreaterThanOrEqual(200);
        expect([500, 501]).not.toContain(status);
      }),
      { numRuns: 10_000 },
    );
    expect(errorsIn(scratch.path)).toEqual([]);
    expect((await ask("/api/run")).status).toBe(200);
    await until("all sockets are closed", () => openSockets() <= before);
  }, 300_000);
});

const openSockets = () => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;

describe("the site of a run with a token", () => {
  const ROUTES = ["/api/run", "/api/history", "/api/blocks", "/api/events", "/api/samples", "/samples/step-1.png"];

  it.each([
    ["that was given, on loopback", [] as string[], TOKEN],
    ["that was given, on every address", ["monitoring.host=0.0.0.0"], TOKEN],
    ["that it made, on every address", ["monitoring.host=0.0.0.0"], null],
  ])("%s: tells nothing without it but health and the page's own files", async (_, set, given) => {
    using scratch = scratchFolder();
    const site = await openSite({ folder: scratch.path, set, token: given });
    try {
      const link = new URL(site.site.page!.link);
      const made = new URLSearchParams(link.hash.slice(1)).get("token");
      expect(made === null).toBe(given !== null);
      const token = given ?? made!;
      for (const path of ["/", "/page.js", "/style.css", "/healthz", "/readyz"])
        expect((await send(site.url, path)).status, path).toBe(200);
      for (const path of ROUTES) {
        for (const headers of [
          {},
          { authorization: "Bearer wrong" },
          { authorization: token },
          { authorization: `Bearer ${token}x` },
        ]) {
          const { status, body } = await send(site.url, path, { headers: headers as Record<string, string> });
          expect([path, status]).toEqual([path, 401]);
          expect(body).not.toContain(token);
        }
        const right = await send(site.url, path, {
          headers: { authorization: `Bearer ${token}`, host: "gpu-box.lan" },
        });
        expect([200, 404], path).toContain(right.status);
      }
      expect((await send(site.url, `/api/run?token=${token}`)).status).toBe(401);
      const command = { method: "POST", body: JSON.stringify(COMMAND) };
      expect((await send(site.url, "/api/cmd/pause", { ...command, headers: PROOF })).status).toBe(401);
      expect(site.paused()).toBeNull();
      const headers = { ...PROOF, authorization: `Bearer ${token}` };
      expect((await send(site.url, "/api/cmd/pause", { ...command, headers })).status).toBe(200);
      expect(site.paused()).not.toBeNull();
      expect(existsSync(scratch.file("page-token"))).toBe(given === null);
      expect(errorsIn(scratch.path)).toEqual([]);
    } finally {
      await site.close();
    }
  });

  it("that it made is kept for this user alone, and is the same after a restart", async () => {
    using scratch = scratchFolder();
    const lives: string[] = [];
    for (let life = 1; life <= 2; life++) {
      const site = await openSite({ folder: scratch.path, set: ["monitoring.host=0.0.0.0"], incarnation: life });
      lives.push(new URL(site.site.page!.link).hash);
      await site.close();
      expect(statSync(scratch.file("page-token")).mode & 0o777).toBe(0o600);
    }
    expect(lives[0]).toBe(lives[1]);
    expect(readFileSync(scratch.file("page-token"), "utf8").trim()).toBe(lives[0]!.slice("#token=".length));
  });
});

describe("the port of the site", () => {
  it("that is taken is named with its field before anything is written", async () => {
    using scratch = scratchFolder();
    const first = await openSite({ folder: scratch.path });
    const port = new URL(first.url).port;
    const second = openSite({ folder: scratch.file("other"), set: [`monitoring.port=${port}`] });
    await expect(second).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(`monitoring.port ${port}`),
      remedy: expect.stringContaining("0 for a free one"),
    });
    await first.close();
  });

  it("of an address that is not this machine's is named too", async () => {
    using scratch = scratchFolder();
    await expect(openSite({ folder: scratch.path, set: ["monitoring.host=192.0.2.1"] })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("192.0.2.1: is no address of this machine"),
    });
  });

  it("that was handed on and is taken meanwhile is given up for another one, and the run goes on", async () => {
    using scratch = scratchFolder();
    const first = await openSite({ folder: scratch.path });
    const taken = Number(new URL(first.url).port);
    const second = await openSite({ folder: scratch.file("other"), port: taken });
    expect((await fetch(`${second.url}/api/run`)).status).toBe(200);
    expect(linesOf(scratch.file("other/logs/coordinator.log")).join()).toContain("the page is on another port");
    await second.close();
    await first.close();
    const fourth = await openSite({ folder: scratch.file("fourth"), port: taken });
    expect(fourth.url).toBe(first.url);
    await fourth.close();
  });
});
