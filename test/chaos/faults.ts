// The table of faults that the punisher injects: what each hits, and what it does to it.

import type { FaultProxy } from "../support/fault-proxy.ts";

export type FaultTarget = "worker" | "coordinator" | "network";

export interface Fault {
  readonly target: FaultTarget;
  /** @param pid of the process that is hit; of the coordinator for the network. @returns what ends it, if it lasts. */
  strike(pid: number, proxy: FaultProxy): (() => void) | null;
}

const kill = (target: FaultTarget): Fault => ({
  target,
  strike(pid) {
    signal(pid, "SIGKILL");
    return null;
  },
});

const freeze = (target: FaultTarget): Fault => ({
  target,
  strike(pid) {
    signal(pid, "SIGSTOP");
    return () => signal(pid, "SIGCONT");
  },
});

/** One that died of something else just now is past signals. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {}
}

export const FAULTS = {
  "kill worker": kill("worker"),
  "freeze worker": freeze("worker"),
  "kill coordinator": kill("coordinator"),
  "freeze coordinator": freeze("coordinator"),
  "cut network": {
    target: "network",
    strike(_pid, proxy) {
      proxy.cutAll();
      return null;
    },
  },
  "lose packets": {
    target: "network",
    strike(_pid, proxy) {
      proxy.set({ kind: "drop" });
      return () => proxy.set({ kind: "none" });
    },
  },
} satisfies Record<string, Fault>;

export type FaultKind = keyof typeof FAULTS;
export const FAULT_KINDS = Object.keys(FAULTS) as FaultKind[];
