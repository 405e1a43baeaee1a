// Addresses to listen on: which one stands for all of a machine's.

import { networkInterfaces } from "node:os";

/**
 * `::` takes connections of IPv4 and IPv6, but cannot be had where the kernel has no IPv6: there 0.0.0.0 is all there is.
 * @param host without brackets.
 */
export function listenHost(host: string, hasIPv6: boolean = machineHasIPv6()): string {
  return host === "::" && !hasIPv6 ? "0.0.0.0" : host;
}

const machineHasIPv6 = (): boolean =>
  Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ family }) => family === "IPv6"));
