// The operator at work in a test's process, on a real API server, with no rights but those of its own service account.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { type Api, type Call, createApi } from "../../k8s/operator/api.ts";
import { startController } from "../../k8s/operator/controller.ts";
import type { OperatorOptions } from "../../k8s/operator/observed.ts";
import { createRecorder } from "../../k8s/operator/recorder.ts";
import { silentLog } from "../../shared/log.ts";
import { ROOT } from "../../shared/root.ts";
import { planeOfEnvironment } from "../../shared/rpc/tls/plane.ts";
import { installDiffusionJobs } from "./kubernetes/custom-resources.ts";
import { bundledFile } from "./plume.ts";
import { freePort, killed } from "./processes.ts";

const OPTIONS: OperatorOptions = {
  statusEveryMs: 1_000,
  pollMs: 500,
  saveAgainMs: 1_000,
  stuckMs: 1_000,
  nodeGraceMs: 5_000,
};

/** Who may do what k8s/operator says, in a namespace where it is applied. */
export const operatorAccount = (namespace: string): string => `system:serviceaccount:${namespace}:plume-operator`;

/** As the administrator of the kubeconfig, in somebody else's place. */
export function configOf(kubeconfig: string, as: string | null): KubeConfig {
  const config = new KubeConfig();
  config.loadFromString(readFileSync(kubeconfig, "utf8"));
  const [cluster] = config.clusters;
  const [user] = config.users;
  config.loadFromClusterAndUser(cluster!, { ...user!, ...(as !== null && { impersonateUser: as }) });
  return config;
}

export interface TestOperator extends AsyncDisposable {
  /** Calls so far, watches and lists of watches not counted. */
  readonly calls: readonly Call[];
  /** Of `diesAt`. */
  readonly death: Promise<void>;
}

export interface TestOperatorOptions {
  readonly kubeconfig: string;
  readonly namespace: string;
  /** The process dies at this call of a pass, before it is sent or before its answer is heard. */
  readonly diesAt?: { readonly call: number; readonly when: "before" | "after" };
  /** Before each call of a pass is sent. */
  readonly onCall?: (call: Call) => Promise<void>;
}

export async function startOperator(options: TestOperatorOptions): Promise<TestOperator> {
  const { kubeconfig, namespace } = options;
  const end = new AbortController();
  const calls: Call[] = [];
  let onDeath = () => {};
  const death = new Promise<void>((resolve) => {
    onDeath = resolve;
  });
  const real = createApi({ config: configOf(kubeconfig, operatorAccount(namespace)) });
  const api = mortal(real, calls, options, end, onDeath);
  const controller = await startController(
    {
      api,
      namespace,
      recorder: createRecorder({ api, instance: "test", epochMs: Date.now, onError: () => {} }),
      plane: planeOfEnvironment(),
      options: OPTIONS,
      workers: 4,
      epochMs: Date.now,
      onEvent: () => {},
      log: silentLog,
    },
    end.signal,
  );
  return {
    calls,
    death,
    async [Symbol.asyncDispose]() {
      end.abort();
      await controller.close();
      real.close();
    },
  };
}

/** After its death nothing of it reaches the API server, and nothing that was answered reaches it. */
function mortal(
  real: Api,
  calls: Call[],
  { diesAt, onCall }: TestOperatorOptions,
  end: AbortController,
  onDeath: () => void,
): Api {
  const isList = ({ query }: Call) => query?.limit !== undefined;
  const die = (): never => {
    end.abort(new Error("killed"));
    onDeath();
    throw end.signal.reason;
  };
  return {
    ...real,
    async call<T>(call: Call, signal?: AbortSignal): Promise<T> {
      end.signal.throwIfAborted();
      if (isList(call)) return real.call<T>(call, signal);
      const isLast = calls.push(call) - 1 === diesAt?.call;
      if (isLast && diesAt?.when === "before") die();
      await onCall?.(call);
      const answered = real.call<T>(call, isLast ? undefined : signal);
      return isLast ? answered.then(die, die) : answered;
    },
  };
}

export interface OperatorProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  leads(): Promise<boolean>;
}

export interface OperatorProcessOptions {
  readonly kubeconfig: string;
  readonly namespace: string;
  /** That its own kubeconfig is written to. */
  readonly file: string;
  readonly args?: readonly string[];
}

/** As it runs in a cluster: a process, with the rights of its account. */
export async function startOperatorProcess(options: OperatorProcessOptions): Promise<OperatorProcess> {
  const { namespace } = options;
  writeFileSync(options.file, configOf(options.kubeconfig, operatorAccount(namespace)).exportConfig());
  const port = await freePort();
  const args = ["--namespace", namespace, "--monitor", `127.0.0.1:${port}`, ...(options.args ?? [])];
  const child = spawn(process.execPath, [await bundledFile("operator"), ...args], {
    env: { ...process.env, KUBECONFIG: options.file },
    stdio: ["ignore", "ignore", "inherit"],
  });
  const exited = once(child, "exit").then(([code]) => code as number | null);
  const leads = async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(1_000) }).catch(
      () => null,
    );
    return /^plume_operator_leader 1$/m.test((await answer?.text()) ?? "");
  };
  return { child, exited, leads, [Symbol.asyncDispose]: () => killed(child) };
}

/** The CRD and the operator's rights, applied as a person would. */
export async function installOperator(
  kubectl: (args: readonly string[], options?: { readonly input?: string }) => Promise<string>,
  namespace: string,
): Promise<void> {
  await installDiffusionJobs(kubectl);
  await kubectl(["apply", "-n", namespace, "-f", join(ROOT, "k8s/operator/access.yaml")]);
}
