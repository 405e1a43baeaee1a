// One server of the control plane as a process, which a test may kill, start again at the same port, freeze and thaw. It dies
// with the process that started it.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { cacheFolder } from "../../../shared/cache-folder.ts";
import { PlumeError } from "../../../shared/errors.ts";
import { killed, pause } from "../processes.ts";

const READY_SECONDS = 120;

/** @throws PlumeError FAILED_PRECONDITION when it is not built. */
export function binary(name: "etcd" | "kube-apiserver" | "kube-controller-manager" | "kubectl"): string {
  const file = cacheFolder(`kubernetes/current/${name}`);
  if (!existsSync(file))
    throw new PlumeError("FAILED_PRECONDITION", `${name} of the tests is not in ${file}`, {
      remedy: "npm run setup:kubernetes",
    });
  return file;
}

export interface Server {
  readonly pid: number;
  /** Resolves when it answers. @throws with its log when it ends or is not ready in time. */
  start(): Promise<void>;
  /** SIGKILL; `start` brings it back where it was. */
  kill(): Promise<void>;
  /** SIGTERM, and as long as it takes. */
  stop(): Promise<void>;
  /** SIGSTOP: its connections stay open and nobody answers. */
  freeze(): void;
  thaw(): void;
}

export interface ServerOptions {
  readonly command: readonly string[];
  /** What it says, over all of its lives. */
  readonly log: string;
  readonly ready: () => Promise<boolean>;
}

export function createServer({ command, log, ready }: ServerOptions): Server {
  let child: ChildProcess | null = null;
  const running = (): ChildProcess => {
    if (child?.pid === undefined) throw new Error(`${command[0]} is not running`);
    return child;
  };
  const fail = (what: string): never => {
    throw new Error(`${command[0]} ${what}:\n${readFileSync(log, "utf8").split("\n").slice(-20).join("\n")}`);
  };

  return {
    get pid() {
      return running().pid!;
    },
    async start() {
      if (child) throw new Error(`${command[0]} is running`);
      const output = openSync(log, "a");
      const started = spawn("setpriv", ["--pdeathsig", "KILL", "--", ...command], {
        stdio: ["ignore", output, output],
      });
      closeSync(output);
      child = started;
      const end = Date.now() + READY_SECONDS * 1000;
      while (!(await ready())) {
        if (started.exitCode !== null || started.signalCode !== null) fail(`ended with ${started.exitCode}`);
        if (child !== started) fail("was killed while it started");
        if (Date.now() > end) fail(`is not ready within ${READY_SECONDS} s`);
        await pause(50);
      }
    },
    async kill() {
      const dying = child;
      child = null;
      await killed(dying);
    },
    async stop() {
      const dying = child;
      child = null;
      if (!dying || dying.exitCode !== null || dying.signalCode !== null) return;
      const gone = new Promise((resolve) => dying.once("exit", resolve));
      dying.kill("SIGTERM");
      await gone;
    },
    freeze: () => void running().kill("SIGSTOP"),
    thaw: () => void running().kill("SIGCONT"),
  };
}
