// How plume uses gRPC: message bounds, keepalive, flow-control windows, chunk size. One place for all numbers.

import { type ChannelOptions, Server } from "@grpc/grpc-js";

/** Bytes of tensor in one message. Measured against raw HTTP/2: 512 KiB reach 0.76 of it up and 0.89 down, 1 MiB 0.92 both ways. */
export const CHUNK_BYTES = 1024 * 1024;
/** HTTP/2 window of a stream and of a connection: at least bandwidth times delay of the networks plume runs on. */
export const WINDOW_BYTES = 4 * 1024 * 1024;
/** Larger messages are refused, in both directions. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
/** Deadline of a call that moves one shard or one small message. */
export const CALL_DEADLINE_MS = 60_000;

/** Of HOST:PORT or [HOST]:PORT, whose host may have colons of its own. */
export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon).replace(/^\[(.*)\]$/, "$1"), port: Number(address.slice(colon + 1)) };
}

/** HOST:PORT, with brackets around a host that has colons. */
export const joinAddress = (host: string, port: number): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;

const keepalive = {
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.keepalive_permit_without_calls": 1,
  "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
  "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
} as const;

export const channelOptions: ChannelOptions = {
  ...keepalive,
  "grpc-node.flow_control_window": WINDOW_BYTES,
  // A worker that waits for a restarted coordinator must not sit in a two-minute back-off.
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 2_000,
};

/** For a client that must not share a connection: one that went silent may still look open to the pool. */
export const ownConnection: ChannelOptions = { ...channelOptions, "grpc.use_local_subchannel_pool": 1 };

/** A connection that did not become one: with a client of another kind, or without the right certificate. */
export type OnRefused = (error: Error, peer: object) => void;

/**
 * A server whose uploads are as fast as its downloads. grpc-js honours `grpc-node.flow_control_window` on clients only
 * (grpc-node issue 2429, pull request 3058); without this an upload crawls in 64 KiB windows. Touches two private
 * fields, so the version is pinned and test/contract/transport.test.ts reads the session's window.
 */
export function createServer(onRefused: OnRefused = () => {}): Server {
  const server = new Server(keepalive);
  const inside = server as unknown as ServerInside;
  const createHttp2Server = inside.createHttp2Server.bind(server);
  inside.commonServerOptions.settings = { ...inside.commonServerOptions.settings, initialWindowSize: WINDOW_BYTES };
  inside.createHttp2Server = (credentials) => {
    const http2Server = createHttp2Server(credentials);
    http2Server.on("session", (session) => session.setLocalWindowSize(WINDOW_BYTES));
    http2Server.on("tlsClientError", onRefused);
    return http2Server;
  };
  return server;
}

interface ServerInside {
  commonServerOptions: { settings?: object };
  createHttp2Server: (credentials: unknown) => {
    on(event: "session", listener: (session: { setLocalWindowSize(bytes: number): void }) => void): void;
    on(event: "tlsClientError", listener: OnRefused): void;
  };
}
