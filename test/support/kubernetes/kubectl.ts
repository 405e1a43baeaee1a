// The real kubectl, as a person at a terminal has it. Never blocking: pods that a test runs live in its process's kubelet.

import { spawn } from "node:child_process";
import { finished } from "../processes.ts";
import { binary } from "./server.ts";

interface KubectlOptions {
  /** What `-f -` reads. */
  readonly input?: string;
}

export type Kubectl = (args: readonly string[], options?: KubectlOptions) => Promise<string>;

/** @returns what it prints. @throws Error with what it says when it ends with anything but 0. */
export const createKubectl =
  (kubeconfig: string, cache: string): Kubectl =>
  async (args, { input } = {}) => {
    const child = spawn(binary("kubectl"), ["--kubeconfig", kubeconfig, "--cache-dir", cache, ...args], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    child.stdin.on("error", () => {}); // it ended without reading: its exit code tells
    child.stdin.end(input ?? "");
    const { code, stdout, stderr } = await finished(child);
    if (code === 0) return stdout;
    throw new Error(`kubectl ${args.join(" ")} ended with ${code}: ${stderr}${stdout}`);
  };
