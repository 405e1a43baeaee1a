// The real kubectl, as a person at a terminal has it. Never blocking: pods that a test runs live in its process's kubelet.

import { spawn } from "node:child_process";
import { binary } from "./server.ts";

export interface KubectlOptions {
  /** What `-f -` reads. */
  readonly input?: string;
}

export type Kubectl = (args: readonly string[], options?: KubectlOptions) => Promise<string>;

/** @returns what it prints. @throws Error with what it says when it ends with anything but 0. */
export const createKubectl =
  (kubeconfig: string, cache: string): Kubectl =>
  (args, { input } = {}) =>
    new Promise((resolve, reject) => {
      const child = spawn(binary("kubectl"), ["--kubeconfig", kubeconfig, "--cache-dir", cache, ...args], {
        stdio: ["pipe", "pipe", "pipe"],
      });
      let stdout = "";
      let stderr = "";
      child.stdout.on("data", (chunk: Buffer) => {
        stdout += chunk;
      });
      child.stderr.on("data", (chunk: Buffer) => {
        stderr += chunk;
      });
      child.stdin.on("error", () => {}); // it ended without reading: its exit code tells
      child.stdin.end(input ?? "");
      child.on("error", reject);
      child.on("close", (code) =>
        code === 0
          ? resolve(stdout)
          : reject(new Error(`kubectl ${args.join(" ")} ended with ${code}: ${stderr}${stdout}`)),
      );
    });
