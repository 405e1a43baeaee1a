// Addresses that plume listens on and dials, of both families.

import { get } from "node:http";
import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { bindServer } from "../../coordinator/rpc/server.ts";
import { reply, startHttp } from "../../shared/http/server.ts";
import { listenHost } from "../../shared/listen-host.ts";
import { planeOfEnvironment } from "../../shared/rpc/tls/plane.ts";
import { joinAddress, splitAddress } from "../../shared/rpc/transport.ts";

it.each([
  ["10.0.0.7:7070", "10.0.0.7", 7070],
  ["plume-coordinator:7070", "plume-coordinator", 7070],
  ["[::]:7070", "::", 7070],
  ["[fd00::7]:7070", "fd00::7", 7070],
])("%s is %s and %i, and they are it", (address, host, port) => {
  expect(splitAddress(address)).toEqual({ host, port });
  expect(joinAddress(host, port)).toBe(address);
});

it("all addresses are those of IPv4 alone where a machine has no IPv6", () => {
  expect(["::", "0.0.0.0", "::1", "10.0.0.7"].map((host) => listenHost(host, false))).toEqual([
    "0.0.0.0",
    "0.0.0.0",
    "::1",
    "10.0.0.7",
  ]);
  expect(listenHost("::", true)).toBe("::");
});

describe("[::], as the pods of a cluster listen", () => {
  const dials = (host: string, port: number) =>
    new Promise<boolean>((resolve) => {
      const socket = connect({ host, port }, () => resolve(true));
      socket.on("error", () => resolve(false));
      socket.on("connect", () => socket.destroy());
    });

  it("is reached over IPv4 by gRPC", async () => {
    const { server, address } = await bindServer("[::]:0", planeOfEnvironment(), () => {});
    expect(await dials("127.0.0.1", splitAddress(address).port)).toBe(true);
    server.forceShutdown();
  });

  it("is reached over IPv4 by HTTP, under the name that a port-forward has and under an address", async () => {
    const fail = (error: unknown) => {
      throw error;
    };
    const http = await startHttp({ ...splitAddress("[::]:0"), field: "--monitor", onError: fail });
    http.route({ "GET /": ({ response }) => reply(response, 200, "text/plain", "here") });
    expect(http.url).toBe(`http://127.0.0.1:${http.port}`);
    for (const host of ["localhost", "127.0.0.1"])
      expect(await (await fetch(`http://${host}:${http.port}/`)).text()).toBe("here");
    const status = new Promise((resolve) =>
      get(http.url, { headers: { host: "evil.example" } }, (answer) => resolve(answer.resume().statusCode)),
    );
    expect(await status).toBe(421);
    await http.close();
  });
});
