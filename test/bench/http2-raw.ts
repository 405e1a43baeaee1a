// The floor under gRPC: the same bytes over node:http2 with the same windows and chunks, and nothing else.

import { type ClientHttp2Session, connect, createServer, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { chunksOf } from "../../shared/rpc/call.ts";
import { WINDOW_BYTES } from "../../shared/rpc/transport.ts";

const settings = { initialWindowSize: WINDOW_BYTES };

/** POST takes a body into `target`; GET answers with `source`. @returns the port. */
export async function serveRaw(source: Uint8Array, target: Uint8Array): Promise<{ server: Http2Server; port: number }> {
  const server = createServer({ settings });
  server.on("session", (session) => session.setLocalWindowSize(WINDOW_BYTES));
  server.on("stream", (stream, headers) => {
    stream.respond({ ":status": 200 });
    if (headers[":method"] === "GET") return void send(stream, source);
    void receive(stream, target).then((bytes) => stream.end(String(bytes)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, port: (server.address() as AddressInfo).port };
}

export function openRaw(port: number): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${port}`, { settings });
  session.once("connect", () => session.setLocalWindowSize(WINDOW_BYTES));
  return session;
}

/** @returns once the server has taken every byte. */
export async function uploadRaw(session: ClientHttp2Session, source: Uint8Array): Promise<void> {
  const stream = session.request({ ":method": "POST", ":path": "/" }, { endStream: false });
  await send(stream, source);
  const answer = Buffer.alloc(32);
  const length = await receive(stream, answer);
  const taken = Number(answer.toString("latin1", 0, length));
  if (taken !== source.byteLength) throw new Error(`the server took ${taken} of ${source.byteLength} bytes`);
}

export async function downloadRaw(session: ClientHttp2Session, target: Uint8Array): Promise<void> {
  const received = await receive(session.request({ ":method": "GET", ":path": "/" }), target);
  if (received !== target.byteLength) throw new Error(`${received} of ${target.byteLength} bytes arrived`);
}

async function send(stream: Duplex, source: Uint8Array): Promise<void> {
  for (const chunk of chunksOf(source))
    if (!stream.write(chunk)) await new Promise<void>((resolve) => stream.once("drain", resolve));
  stream.end();
}

async function receive(stream: Duplex, target: Uint8Array): Promise<number> {
  let at = 0;
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    target.set(chunk, at);
    at += chunk.byteLength;
  }
  return at;
}
