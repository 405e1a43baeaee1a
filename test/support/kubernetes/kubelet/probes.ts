// Probes of one container's life: startup first, then liveness and readiness, each in its own rhythm. One that has not started, or is
// not ready, is asked more often, as Kubernetes may do, and given up no sooner.

import { get } from "node:http";
import type { ContainerSpec, Probe } from "./objects.ts";

export interface Probes {
  readonly started: boolean;
  readonly ready: boolean;
  stop(): void;
}

export interface ProbesOptions {
  readonly ip: string;
  readonly spec: ContainerSpec;
  /** The container must be started again. */
  readonly onFailed: (reason: string) => void;
}

/** As often is asked for an answer that is waited for. */
const EAGER = 16;

/** A container without a readiness probe is ready once it has started. */
export function startProbes({ ip, spec, onFailed }: ProbesOptions): Probes {
  const { startupProbe, livenessProbe, readinessProbe } = spec;
  const timers = new Set<NodeJS.Timeout>();
  let stopped = false;
  let started = !startupProbe;
  let ready = started && !readinessProbe;

  /** Calls `settle` after as many equal answers in a row as the probe wants. */
  const run = (probe: Probe, settle: (passed: boolean) => void, isAwaited = () => false) => {
    const period = 1000 * (probe.periodSeconds ?? 10);
    let row = 0;
    let last = false;
    const part = () => (isAwaited() ? 1 / EAGER : 1);
    const once = async () => {
      const counts = part();
      const passed = await answers(probe, spec, ip);
      if (stopped) return;
      row = (passed === last ? row : 0) + (passed ? 1 : counts);
      last = passed;
      if (row >= (passed ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? 3))) settle(passed);
      later(period * part());
    };
    const later = (ms: number) => {
      if (stopped) return;
      const timer = setTimeout(() => {
        timers.delete(timer);
        void once();
      }, ms);
      timers.add(timer);
    };
    later(1000 * (probe.initialDelaySeconds ?? 0));
  };

  const begin = () => {
    started = true;
    ready = !readinessProbe;
    if (livenessProbe) run(livenessProbe, (passed) => passed || onFailed("liveness probe failed"));
    if (readinessProbe)
      run(
        readinessProbe,
        (passed) => {
          ready = passed;
        },
        () => !ready,
      );
  };
  if (startupProbe)
    run(
      startupProbe,
      (passed) => {
        if (started) return;
        if (passed) begin();
        else onFailed("startup probe failed");
      },
      () => !started,
    );
  else begin();

  return {
    get started() {
      return started;
    },
    get ready() {
      return started && ready;
    },
    stop() {
      stopped = true;
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

function answers({ httpGet, timeoutSeconds = 1 }: Probe, spec: ContainerSpec, ip: string): Promise<boolean> {
  if (!httpGet) throw new Error(`the process kubelet has only httpGet probes; ${spec.name} has another`);
  const { path = "/", port } = httpGet;
  const number = typeof port === "number" ? port : spec.ports?.find(({ name }) => name === port)?.containerPort;
  return new Promise((resolve) => {
    const options = { host: ip, port: number, path, agent: false, signal: AbortSignal.timeout(1000 * timeoutSeconds) };
    get(options, (answer) => {
      answer.resume();
      resolve(answer.statusCode! >= 200 && answer.statusCode! < 400);
    }).on("error", () => resolve(false));
  });
}
