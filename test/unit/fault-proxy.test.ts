// The proxy breaks exactly what a fault says and nothing else, over real sockets to a real echo server.

import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { type Direction, type FaultProxy, startFaultProxy } from "../support/fault-proxy.ts";
import { until } from "../support/plume.ts";

/** Bytes that look random, so that a lost, repeated or swapped chunk shows. */
function noise(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = 1;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

/** Echoes, and ends when its client does. `heard` counts what arrived, `open` the sockets. */
async function startEcho() {
  const sockets = new Set<Socket>();
  const echo = { heard: 0, open: () => sockets.size, sockets, address: "", [Symbol.asyncDispose]: close };
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("data", (bytes) => {
      echo.heard += bytes.length;
    });
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    socket.pipe(socket);
  });
  async function close() {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  }
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  echo.address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return echo;
}

function dial(proxy: FaultProxy) {
  const chunks: Buffer[] = [];
  const socket = connect({ port: Number(proxy.address.split(":")[1]), host: "127.0.0.1", allowHalfOpen: true });
  const client = { socket, got: 0, all: () => Buffer.concat(chunks), error: "", ended: false, closed: false };
  socket.on("data", (bytes) => {
    chunks.push(bytes);
    client.got += bytes.length;
  });
  socket.on("end", () => {
    client.ended = true;
  });
  socket.on("error", (error: NodeJS.ErrnoException) => {
    client.error = error.code ?? "";
  });
  socket.on("close", () => {
    client.closed = true;
  });
  return client;
}

/** A connection that is proven to work. */
async function talk(proxy: FaultProxy) {
  const client = dial(proxy);
  client.socket.write("hello");
  await until("the echo", () => client.got === 5, 10);
  return client;
}

/** Sends, ends, and returns everything that came back until the other side ended too. */
async function roundTrip(proxy: FaultProxy, data: Buffer): Promise<Buffer> {
  const client = dial(proxy);
  client.socket.end(data);
  await until("the end", () => client.closed, 20);
  expect(client).toMatchObject({ ended: true, error: "" });
  return client.all();
}

const rest = (ms = 100) => new Promise((resolve) => setTimeout(resolve, ms));
const same = (a: Buffer, b: Buffer) => expect(a.equals(b)).toBe(true);

describe("the fault proxy", () => {
  it("passes every byte on without a fault, and the half-close", async () => {
    await using echo = await startEcho();
    await using proxy = await startFaultProxy(() => echo.address);
    const data = noise(1 << 20);
    same(await roundTrip(proxy, data), data);
    expect(proxy.bytes).toEqual({ up: data.length, down: data.length });
    await until("the connection's end", () => proxy.connections === 0 && echo.open() === 0, 10);
  });

  it("stops reading while the receiver does not read", async () => {
    await using echo = await startEcho();
    await using proxy = await startFaultProxy(echo.address);
    const client = await talk(proxy);
    for (const socket of echo.sockets) socket.unpipe().pause();
    const data = noise(64 << 20);
    client.socket.end(data);
    let before = -1;
    while (proxy.bytes.up !== before) {
      before = proxy.bytes.up;
      await rest(200);
    }
    expect(before).toBeLessThan(data.length / 2);
    for (const socket of echo.sockets) socket.resume();
    await until("the rest", () => echo.heard === 5 + data.length, 20);
  });

  it("destroys the client when the target cannot be reached", async () => {
    const gone = await startEcho();
    await gone[Symbol.asyncDispose]();
    const targets = [
      gone.address,
      () => {
        throw new Error("not started yet");
      },
    ];
    for (const target of targets) {
      await using proxy = await startFaultProxy(target);
      const client = dial(proxy);
      await until("the end", () => client.closed, 10);
      expect(proxy.connections).toBe(0);
    }
  });

  it("cutAll resets what is open and lets new connections in", async () => {
    await using echo = await startEcho();
    await using proxy = await startFaultProxy(echo.address);
    const clients = [await talk(proxy), await talk(proxy)];
    expect(proxy.connections).toBe(2);
    proxy.cutAll();
    expect(proxy.connections).toBe(0);
    await until("the resets", () => clients.every(({ closed }) => closed) && echo.open() === 0, 10);
    expect(clients.map(({ error }) => error)).toEqual(["ECONNRESET", "ECONNRESET"]);
    await talk(proxy);
  });

  it("passes a reset on", async () => {
    await using echo = await startEcho();
    await using proxy = await startFaultProxy(echo.address);
    const client = await talk(proxy);
    client.socket.resetAndDestroy();
    await until("the target's close", () => echo.open() === 0 && proxy.connections === 0, 10);
  });

  it("delay keeps the order and the end, and lets go when lifted", async () => {
    await using echo = await startEcho();
    await using proxy = await startFaultProxy(echo.address);
    const data = noise(1 << 20);
    proxy.set({ kind: "delay", ms: 5, jitterMs: 20, seed: 3 });
    same(await roundTrip(proxy, data), data);
    proxy.set({ kind: "delay", ms: 3_600_000 });
    const held = roundTrip(proxy, data);
    await rest();
    expect(echo.heard).toBe(data.length);
    proxy.set({ kind: "none" });
    same(await held, data);
  });

  it("drop swallows both directions, and lifted destroys only what lost bytes", async () => {
    await using echo = await startEcho();
    await using proxy = await startFaultProxy(echo.address);
    const [idle, sender, receiver] = [await talk(proxy), await talk(proxy), await talk(proxy)];
    proxy.set({ kind: "drop" });
    sender.socket.write("lost");
    [...echo.sockets][2]!.write("lost too");
    await rest();
    expect(echo.heard).toBe(15);
    expect([idle, sender, receiver].map(({ got, closed }) => [got, closed])).toEqual(Array(3).fill([5, false]));
    expect(proxy.connections).toBe(3);
    proxy.set({ kind: "none" });
    await until("the two to be destroyed", () => sender.closed && receiver.closed, 10);
    idle.socket.write("again");
    await until("the echo", () => idle.got === 10, 10);
    expect(proxy.connections).toBe(1);
  });

  it("drop hides that a side has gone, until it is lifted", async () => {
    await using echo = await startEcho();
    await using proxy = await startFaultProxy(echo.address);
    const [reset, ended] = [await talk(proxy), await talk(proxy)];
    proxy.set({ kind: "drop" });
    reset.socket.resetAndDestroy();
    ended.socket.end();
    await rest();
    expect(echo.open()).toBe(2);
    proxy.set({ kind: "none" });
    await until("the news", () => echo.open() === 0 && ended.closed, 10);
    expect(ended).toMatchObject({ ended: true, error: "" });
  });

  it.each<Direction>(["up", "down"])("half-open %s loses that direction only", async (direction) => {
    await using echo = await startEcho();
    await using proxy = await startFaultProxy(echo.address);
    const client = await talk(proxy);
    proxy.set({ kind: "half-open", direction });
    client.socket.write("question");
    for (const socket of echo.sockets) socket.write("news");
    if (direction === "up") await until("the news", () => client.got === 9, 10);
    else await until("the question", () => echo.heard === 13, 10);
    await rest();
    expect([echo.heard, client.got]).toEqual(direction === "up" ? [5, 9] : [13, 5]);
    proxy.set({ kind: "half-open", direction });
    expect(proxy.connections).toBe(1);
    proxy.set({ kind: "none" });
    expect(proxy.connections).toBe(0);
    await until("both ends to be destroyed", () => client.closed && echo.open() === 0, 10);
  });

  it("slow loses and swaps nothing", async () => {
    await using echo = await startEcho();
    await using proxy = await startFaultProxy(echo.address);
    proxy.set({ kind: "slow", bytesPerSecond: 1 << 20 });
    const data = noise(1 << 18);
    const begin = performance.now();
    same(await roundTrip(proxy, data), data);
    // A quarter of a second at that rate; far less would be no limit at all.
    expect(performance.now() - begin).toBeGreaterThan(100);
    expect(() => proxy.set({ kind: "slow", bytesPerSecond: 0 })).toThrow(RangeError);
  });

  it.each<Direction>(["up", "down"])("corrupt %s flips one bit a period", async (direction) => {
    await using echo = await startEcho();
    await using proxy = await startFaultProxy(echo.address);
    const everyBytes = 1000;
    proxy.set({ kind: "corrupt", direction, everyBytes });
    const data = noise(300_500);
    const got = await roundTrip(proxy, data);
    expect(got).toHaveLength(data.length);
    const wrong = [...got.entries()].filter(([at, byte]) => byte !== data[at]);
    expect(wrong.map(([at]) => at)).toEqual(Array.from({ length: 300 }, (_, period) => period * everyBytes + 999));
    for (const [at, byte] of wrong) expect(Math.log2(byte ^ data[at]!) % 1).toBe(0);
    expect(proxy.flips).toEqual({ up: 0, down: 0, [direction]: 300 });
  });

  it("refuse ends open and new connections until it is lifted", async () => {
    await using echo = await startEcho();
    await using proxy = await startFaultProxy(echo.address);
    const open = await talk(proxy);
    proxy.set({ kind: "refuse" });
    const late = dial(proxy);
    await until("both to be destroyed", () => open.closed && late.closed && echo.open() === 0, 10);
    expect([proxy.connections, open.error]).toEqual([0, "ECONNRESET"]);
    proxy.set({ kind: "none" });
    await talk(proxy);
  });

  it("leaves nothing open", async () => {
    await using echo = await startEcho();
    const handles = (name: RegExp) => process.getActiveResourcesInfo().filter((each) => name.test(each)).length;
    await rest(); // What the tests before have closed takes a moment to go.
    const [sockets, timers] = [handles(/^TCP/), handles(/^Timeout/)];
    const proxy = await startFaultProxy(echo.address);
    const clients = [await talk(proxy), await talk(proxy)];
    proxy.set({ kind: "delay", ms: 3_600_000 });
    for (const { socket } of clients) socket.write("held");
    await rest();
    expect(handles(/^TCP/)).toBeGreaterThan(sockets);
    await proxy[Symbol.asyncDispose]();
    await until("the ends", () => clients.every(({ closed }) => closed) && echo.open() === 0, 10);
    await until("the handles to go", () => handles(/^TCP/) <= sockets && handles(/^Timeout/) <= timers, 10);
    const late = dial(proxy);
    await until("the refusal", () => late.error === "ECONNREFUSED", 10);
    await proxy[Symbol.asyncDispose]();
  });
});
