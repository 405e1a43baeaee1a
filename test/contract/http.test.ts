import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PlumeError } from "../../shared/errors.ts";
import { type HttpServer, reply, startHttp } from "../../shared/http/server.ts";

const errors: unknown[] = [];
let server: HttpServer;

beforeAll(async () => {
  server = await startHttp({ host: "127.0.0.1", port: 0, field: "monitoring.port", onError: (e) => errors.push(e) });
});
afterAll(() => server.close());

const serve = () =>
  server.route({
    "GET /metrics": ({ response }) => reply(response, 200, "text/plain", "plume_step 1\n"),
    "GET /files/*": ({ response, url }) => reply(response, 200, "text/plain", url.pathname),
    "GET /broken": () => {
      throw new Error("defect");
    },
  });

/** The status line of a request with this Host header. */
const statusUnder = (host: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(server.port, "127.0.0.1", () =>
      socket.write(`GET /metrics HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`),
    );
    socket.once("data", (data) => resolve(data.toString().split("\r\n")[0]!));
    socket.once("error", reject);
  });

describe("the HTTP server of a process", () => {
  it("says that it is starting until it has routes", async () => {
    expect((await fetch(`${server.url}/metrics`)).status).toBe(503);
  });

  it("answers by method and path, and keeps HEAD, unknown paths and wrong methods apart", async () => {
    serve();
    expect(await (await fetch(`${server.url}/metrics`)).text()).toBe("plume_step 1\n");
    expect(await (await fetch(`${server.url}/files/a/b`)).text()).toBe("/files/a/b");
    expect((await fetch(`${server.url}/metrics`, { method: "HEAD" })).status).toBe(200);
    expect((await fetch(`${server.url}/nothing`)).status).toBe(404);
    const refused = await fetch(`${server.url}/metrics`, { method: "POST" });
    expect([refused.status, refused.headers.get("allow")]).toEqual([405, "GET"]);
    expect(await refused.text()).toBe("no POST here: use GET\n");
  });

  it("loses one request by a defect, and says nothing of it to whoever asked", async () => {
    serve();
    const answer = await fetch(`${server.url}/broken`);
    expect(answer.status).toBe(500);
    expect(await answer.text()).not.toContain("defect");
    expect(errors).toMatchObject([{ message: "defect" }]);
    expect((await fetch(`${server.url}/metrics`)).status).toBe(200);
  });

  it.each([
    ["127.0.0.1:80", 200],
    ["localhost", 200],
    ["[::1]:8080", 200],
    ["evil.example", 421],
    ["evil.example:80", 421],
    ["127.0.0.1.evil.example", 421],
  ])("under the host name %s answers %i", async (host, status) => {
    serve();
    expect(await statusUnder(host)).toContain(` ${status} `);
  });

  it("names the field, the port and the remedy when the port is taken", async () => {
    const again = startHttp({ host: "127.0.0.1", port: server.port, field: "monitoring.port", onError: () => {} });
    const error = await again.catch((e) => e);
    expect(error).toBeInstanceOf(PlumeError);
    expect(error).toMatchObject({
      code: "INVALID_ARGUMENT",
      message: `monitoring.port ${server.port} on 127.0.0.1: is taken by another process`,
      remedy: "choose another monitoring.port, or 0 for a free one",
    });
  });
});
