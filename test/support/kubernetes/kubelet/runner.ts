// One container of a pod over all of its lives: started, probed, started again with growing pauses, ended.

import type { Surroundings } from "../../container.ts";
import { createBackOff } from "./back-off.ts";
import { type Container, startContainer } from "./container.ts";
import { NotYet } from "./environment.ts";
import type { ContainerSpec, ContainerState, ContainerStatus, RestartPolicy, Terminated } from "./objects.ts";
import { type Probes, startProbes } from "./probes.ts";

/** After so long it was no crash loop; Kubernetes' own is 10 minutes. */
const RECOVERED_MS = 60_000;
const MESSAGE_BYTES = 2_048;

export interface Runner {
  readonly status: ContainerStatus;
  readonly pid: number | null;
  /** Of all of its lives. */
  readonly log: string;
  /** The last two. */
  readonly lives: readonly Container[];
  /** Its process has ended, and none comes after it. */
  readonly isOver: boolean;
  /** Begins a life when it is time for one. */
  sync(): void;
  /** SIGTERM, then SIGKILL; with a grace of 0 SIGKILL at once. Resolves when nothing of it runs. */
  end(graceSeconds: number): Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

export interface RunnerOptions {
  readonly spec: ContainerSpec;
  /** Of the pod, for messages: name_namespace(uid). */
  readonly title: string;
  readonly ip: string;
  readonly graceSeconds: number;
  readonly restart: RestartPolicy;
  /** What it waits for as long as others go first. */
  readonly waiting: string;
  /** Of the next life: the image may have changed, a map may be there now. @throws NotYet */
  readonly prepare: () => Promise<Surroundings>;
}

export function createRunner(options: RunnerOptions): Runner {
  const { spec, title, ip, graceSeconds, restart, waiting, prepare } = options;
  let container: Container | null = null;
  let probes: Probes | null = null;
  let state: ContainerState = { waiting: { reason: waiting } };
  let lastState: ContainerState = {};
  let restartCount = -1;
  const crashes = createBackOff(1);
  const absences = createBackOff(0);
  let busy = false;
  let ending = false;
  let lives: readonly Container[] = [];
  let earlier = "";

  const isOver = ({ terminated }: ContainerState) =>
    terminated !== undefined &&
    (ending || restart === "Never" || (restart === "OnFailure" && terminated.exitCode === 0));

  const over = (code: number, life: Container) => {
    probes?.stop();
    probes = null;
    container = null;
    state = { terminated: terminatedOf(spec, code, life) };
    if (Date.now() - life.startedAt.getTime() > RECOVERED_MS) crashes.reset();
    crashes.grow();
  };

  const begin = async () => {
    const surroundings = await prepare();
    if (ending) return;
    absences.reset();
    restartCount++;
    earlier += lives.at(-1)?.log ?? "";
    const life = startContainer(surroundings, restartCount);
    lives = [...lives.slice(-1), life];
    container = life;
    if (state.terminated) lastState = state;
    state = { running: { startedAt: life.startedAt.toISOString() } };
    let failed = false;
    const onFailed = () => {
      if (!failed) void endLife(life, graceSeconds);
      failed = true;
    };
    probes = startProbes({ ip, spec, onFailed });
    void life.exited.then((code) => over(code, life));
  };

  const lacks = (error: Error) => {
    if (ending) return; // with its sandbox gone it could not begin
    if (!(error instanceof NotYet) && error.name !== "PlumeError" && error.name !== "ApiError") throw error;
    if (state.terminated) lastState = state;
    state = { waiting: { reason: error instanceof NotYet ? error.reason : waiting, message: error.message } };
    absences.grow();
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
      return earlier + (lives.at(-1)?.log ?? "");
    },
    get lives() {
      return lives;
    },
    get isOver() {
      return isOver(state);
    },
    sync() {
      if (busy || ending || container || isOver(state)) return;
      if (crashes.isOn) {
        if (state.terminated) lastState = state;
        const message = `back-off ${crashes.ms / 1000}s restarting failed container=${spec.name} pod=${title}`;
        state = { waiting: { reason: "CrashLoopBackOff", message } };
        return;
      }
      if (absences.isOn) {
        state = whileAbsent(state, spec.image);
        return;
      }
      busy = true;
      begin()
        .catch(lacks)
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

async function endLife(life: Container, grace: number): Promise<void> {
  if (grace <= 0) {
    life.kill("SIGKILL");
    await life.exited;
    return;
  }
  life.kill("SIGTERM");
  const last = setTimeout(() => life.kill("SIGKILL"), 1000 * grace);
  await life.exited;
  clearTimeout(last);
}

function terminatedOf({ terminationMessagePolicy }: ContainerSpec, code: number, life: Container): Terminated {
  const isTold = code !== 0 && terminationMessagePolicy === "FallbackToLogsOnError";
  return {
    exitCode: code,
    reason: code === 0 ? "Completed" : "Error",
    ...(isTold && { message: life.log.slice(-MESSAGE_BYTES) }),
    startedAt: life.startedAt.toISOString(),
    finishedAt: new Date().toISOString(),
  };
}

/** Between two tries an image that could not be had is said to be waited for. */
function whileAbsent(state: ContainerState, image: string): ContainerState {
  if (state.waiting?.reason !== "ErrImagePull") return state;
  const message = `Back-off pulling image "${image}": ErrImagePull: ${state.waiting.message}`;
  return { waiting: { reason: "ImagePullBackOff", message } };
}
