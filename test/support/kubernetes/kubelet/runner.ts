// One container of a pod over all of its lives: started, probed, started again with growing pauses, ended.

import type { Surroundings } from "../../container.ts";
import { type Container, startContainer } from "./container.ts";
import { NotYet } from "./environment.ts";
import type { ContainerSpec, ContainerState, ContainerStatus, Terminated } from "./objects.ts";
import { type Probes, startProbes } from "./probes.ts";

/** As Kubernetes', but shorter: its own begins at 10 s and ends at 5 minutes. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 10_000;
/** After so long it was no crash loop. */
const RECOVERED_MS = 60_000;
const MESSAGE_BYTES = 2_048;

export interface Runner {
  readonly status: ContainerStatus;
  readonly pid: number | null;
  readonly log: string;
  /** Begins a life when it is time for one. */
  sync(): void;
  /** SIGTERM, then SIGKILL. Resolves when nothing of it runs. */
  end(graceSeconds: number): Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

export interface RunnerOptions {
  readonly spec: ContainerSpec;
  readonly ip: string;
  readonly graceSeconds: number;
  readonly restarts: boolean;
  /** Of the next life: the image may have changed, a map may be there now. @throws NotYet */
  readonly prepare: () => Promise<Surroundings>;
}

export function createRunner({ spec, ip, graceSeconds, restarts, prepare }: RunnerOptions): Runner {
  let container: Container | null = null;
  let probes: Probes | null = null;
  let state: ContainerState = { waiting: { reason: "ContainerCreating" } };
  let lastState: ContainerState = {};
  let restartCount = -1;
  let pause = FIRST_PAUSE_MS;
  let notBefore = 0;
  let busy = false;
  let ending = false;
  let log = "";

  const over = (code: number, life: Container) => {
    probes?.stop();
    probes = null;
    container = null;
    log = life.log;
    const terminated: Terminated = {
      exitCode: code,
      reason: code === 0 ? "Completed" : "Error",
      // FallbackToLogsOnError, which all of plume's containers ask for.
      ...(code === 0 ? {} : { message: life.log.slice(-MESSAGE_BYTES) }),
      startedAt: life.startedAt.toISOString(),
      finishedAt: new Date().toISOString(),
    };
    state = { terminated };
    if (ending || !restarts) return;
    if (Date.now() - life.startedAt.getTime() > RECOVERED_MS) pause = FIRST_PAUSE_MS;
    notBefore = Date.now() + pause;
    lastState = { terminated };
    const message = `back-off ${pause / 1000}s restarting failed container=${spec.name}`;
    if (restartCount > 0) state = { waiting: { reason: "CrashLoopBackOff", message } };
    pause = Math.min(LONGEST_PAUSE_MS, 2 * pause);
  };

  const begin = async () => {
    const options = await prepare();
    if (ending) return;
    restartCount++;
    const life = startContainer(options);
    container = life;
    state = { running: { startedAt: life.startedAt.toISOString() } };
    probes = startProbes({ ip, spec, onFailed: () => void endLife(life, graceSeconds) });
    void life.exited.then((code) => over(code, life));
  };

  const endLife = async (life: Container, grace: number) => {
    life.kill("SIGTERM");
    const last = setTimeout(() => life.kill("SIGKILL"), 1000 * grace);
    await life.exited;
    clearTimeout(last);
  };

  return {
    get status() {
      const ready = container !== null && probes?.ready === true;
      return {
        name: spec.name,
        image: spec.image,
        imageID: spec.image,
        ready,
        started: probes?.started ?? false,
        restartCount: Math.max(0, restartCount),
        state,
        lastState,
      };
    },
    get pid() {
      return container?.pid ?? null;
    },
    get log() {
      return container?.log ?? log;
    },
    sync() {
      if (busy || ending || container || Date.now() < notBefore) return;
      if (state.terminated && !restarts) return;
      busy = true;
      begin()
        .catch((error) => {
          if (!(error instanceof NotYet) && error.name !== "PlumeError" && error.name !== "ApiError") throw error;
          const reason = error instanceof NotYet ? error.reason : "ContainerCreating";
          state = { waiting: { reason, message: error.message } };
          notBefore = Date.now() + FIRST_PAUSE_MS;
        })
        .finally(() => {
          busy = false;
        });
    },
    async end(grace) {
      ending = true;
      if (container) await endLife(container, grace);
    },
    kill: (signal) => container?.kill(signal),
  };
}
