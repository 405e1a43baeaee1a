// Addresses of this machine alone: one route makes a whole range local, and a server may listen on each of them.

import { spawnSync } from "node:child_process";

export interface Addresses extends Disposable {
  next(): string;
}

/** @throws Error where routes cannot be made: who runs this is not root. */
export function takeAddresses(): Addresses {
  const failures: string[] = [];
  for (let range = 200; range < 250; range++) {
    const route = ["local", `10.${range}.0.0/16`, "dev", "lo"];
    const { status, stderr } = spawnSync("ip", ["route", "add", ...route], { encoding: "utf8" });
    if (status !== 0) {
      failures.push(stderr.trim());
      continue;
    }
    let count = 0;
    return {
      next() {
        count++;
        return `10.${range}.${count >> 8}.${count & 255}`;
      },
      [Symbol.dispose]: () => void spawnSync("ip", ["route", "del", ...route]),
    };
  }
  throw new Error(`no range of addresses can be made local: ${failures[0]}`);
}
