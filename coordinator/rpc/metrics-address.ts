// Where a worker's metrics are, as this process and whoever scrapes beside it reach them.

import { isIP } from "node:net";
import { joinAddress } from "../../shared/rpc/transport.ts";

const WILDCARDS = ["0.0.0.0", "::", ""];

/**
 * @param peer the other end of a session, as gRPC names it: address:port, without brackets.
 * @param host that all workers listen on, by the job.
 * @param port 0 when the worker has none.
 * @returns host:port; empty when there is none that can be reached.
 */
export function metricsAddress(peer: string, host: string, port: number): string {
  if (port === 0) return "";
  const colon = peer.lastIndexOf(":");
  const address = colon < 0 ? "" : peer.slice(0, colon).replace(/^::ffff:/, "");
  if (WILDCARDS.includes(host)) return isIP(address) ? joinAddress(address, port) : "";
  // What listens on loopback is reached from its own machine alone.
  return isLoopback(host) && !isLoopback(address) ? "" : joinAddress(host, port);
}

const isLoopback = (host: string): boolean => host === "localhost" || host === "::1" || host.startsWith("127.");
