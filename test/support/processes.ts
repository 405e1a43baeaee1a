// Finding the processes of a run, as an operator would: by what they were started with.

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";

/** Processes whose arguments name a path inside the folder. */
export function processesOf(out: string): { readonly pid: number; readonly args: readonly string[] }[] {
  const found: { pid: number; args: string[] }[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const args = readArguments(name);
    if (args.some((arg) => arg === out || arg.startsWith(`${out}/`))) found.push({ pid: Number(name), args });
  }
  return found;
}

/** Processes that a process started. */
export function childrenOf(parent: number): { readonly pid: number; readonly args: readonly string[] }[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && parentOf(name) === parent)
    .map((name) => ({ pid: Number(name), args: readArguments(name) }));
}

/** Nothing of it runs any more, whether or not its parent has taken notice. */
export function isDead(pid: number): boolean {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return true;
  }
}

function parentOf(pid: string): number | null {
  try {
    return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  } catch {
    return null; // gone since it was listed
  }
}

function readArguments(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").filter(Boolean);
  } catch {
    return []; // gone since it was listed
  }
}

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a process ends, and all that it wrote through its pipes. Rejects when it cannot be started. */
export function finished(child: ChildProcess): Promise<Finished> {
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name]!.on("data", (chunk: Buffer) => {
      said[name] += chunk;
    });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, ...said }));
  });
}

/** SIGKILL, unless it is gone already. */
export async function killed(child: ChildProcess | null): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A port that nobody listens on now. */
export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
