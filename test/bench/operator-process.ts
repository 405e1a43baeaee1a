// The operator as the process that it is in a cluster, with the token of its own account, and what it says of itself.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { KubeConfig } from "@kubernetes/client-node";
import { entry } from "../../shared/root.ts";
import type { ControlPlane } from "../support/kubernetes/control-plane.ts";
import { scratchFolder } from "../support/plume.ts";
import { freePort, killed } from "../support/processes.ts";

export interface OperatorProcess extends AsyncDisposable {
  readonly pid: number;
  /** The sum of all series of a metric; null when it does not answer. @throws Error when it has ended. */
  metric(name: string): Promise<number | null>;
  /** SIGTERM; resolves with its exit code. */
  stop(): Promise<number | null>;
}

export async function startOperatorProcess(plane: ControlPlane, namespace: string): Promise<OperatorProcess> {
  const folder = scratchFolder();
  const kubeconfig = folder.file("kubeconfig");
  writeFileSync(kubeconfig, await accountConfig(plane, namespace), { mode: 0o600 });
  const { file, execArgv } = entry("operator");
  const port = await freePort();
  const args = ["--namespace", namespace, "--monitor", `127.0.0.1:${port}`];
  const child = spawn(process.execPath, [...execArgv, file, ...args], {
    env: { ...process.env, KUBECONFIG: kubeconfig },
    stdio: ["ignore", "ignore", "inherit"],
  });
  const exited = once(child, "exit").then(([code]) => code as number | null);
  return {
    pid: child.pid!,
    async metric(name) {
      if (child.exitCode !== null) throw new Error(`the operator ended with ${child.exitCode}`);
      const answer = await fetch(`http://127.0.0.1:${port}/metrics`).catch(() => null);
      return answer && sumOf(await answer.text(), name);
    },
    async stop() {
      child.kill("SIGTERM");
      return exited;
    },
    async [Symbol.asyncDispose]() {
      await killed(child);
      folder[Symbol.dispose]();
    },
  };
}

async function accountConfig({ kubectl, kubeconfig }: ControlPlane, namespace: string): Promise<string> {
  const token = (await kubectl(["-n", namespace, "create", "token", "plume-operator", "--duration=8h"])).trim();
  const config = new KubeConfig();
  config.loadFromString(readFileSync(kubeconfig, "utf8"));
  config.loadFromClusterAndUser(config.getCurrentCluster()!, { name: "plume-operator", token });
  return config.exportConfig();
}

const sumOf = (text: string, name: string): number =>
  text
    .split("\n")
    .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);

/** MiB of a process's memory that are in use now, and the most that ever were. */
export function residentMiB(pid: number): { readonly now: number; readonly most: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const kib = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)![1]);
  return { now: kib("VmRSS") / 1024, most: kib("VmHWM") / 1024 };
}
