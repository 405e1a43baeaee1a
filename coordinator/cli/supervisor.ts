// Runs a job on this machine: one coordinator process and N worker processes, real ones, talking gRPC. Starts again what
// dies, as restart.ts decides; starts and stops workers when the run is scaled; passes a stop on; leaves no process behind.

import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { PlumeError } from "../../shared/errors.ts";
import { decideRestart } from "../../shared/restart.ts";
import { entry } from "../../shared/root.ts";
import { type CoordinatorMessage, isFinal, type PageAddress, type WorkerMessage } from "../../shared/supervision.ts";
import { isChatter } from "./chatter.ts";

export interface SupervisorOptions {
  /** The resolved job file that the coordinator reads. */
  readonly jobFile: string;
  readonly out: string;
  readonly workers: number;
  /** What a worker's process finds in its environment beside this one's, by its index. */
  readonly workerEnvironment: (index: number) => Readonly<Record<string, string>>;
  /** Fewer workers than this can never train. */
  readonly min: number;
  readonly resume: string;
  /** Fields that may differ from the checkpoint's though they decide bits. */
  readonly allow: readonly string[];
  readonly listen: string;
  /** What opens the page; the coordinator alone gets it. */
  readonly token: string | null;
  /** host:port that workers dial; the coordinator's own when absent. */
  readonly advertise?: string;
  /** Failures in a row, without any work done, before a process is given up. */
  readonly maxRestarts: number;
  /** An expelled worker that is not back after so long is replaced. */
  readonly replaceMs: number;
  readonly onNote: (line: string) => void;
  /** A line that one of the processes wrote. */
  readonly onOutput: (line: string) => void;
}

export interface Supervisor {
  /** host:port of the coordinator. */
  readonly address: string;
  readonly page: PageAddress | null;
  /** Resolves when the coordinator has ended well; rejects with its error. */
  readonly done: Promise<void>;
  /** First: stop after the step in progress, with a checkpoint. Second: at once. */
  stop(): void;
  kill(): void;
}

/** After the coordinator's end, or after it was scaled away, a worker has this long to leave. */
const LEAVE_MS = 5_000;
const SCALED_AWAY_MS = 20_000;

interface Slot {
  readonly index: number;
  child: ChildProcess | null;
  failuresInRow: number;
  productive: boolean;
  givenUp: boolean;
  /** Kills it when it was expelled and does not come back. */
  replacement: NodeJS.Timeout | null;
}

export async function superviseRun(options: SupervisorOptions): Promise<Supervisor> {
  const { jobFile, out, workerEnvironment, min, resume, allow, listen, advertise } = options;
  const { maxRestarts, replaceMs, onNote, onOutput } = options;
  const logs = join(out, "logs");
  const children = new Set<ChildProcess>();
  const slots = new Map<number, Slot>();
  let wanted = options.workers;
  let address: string | null = null;
  let page: PageAddress | null = null;
  let coordinator: ChildProcess;
  let ending = false;
  let stopping = false;

  let onReady = (_address: string) => {};
  let onFailed = (_error: PlumeError) => {};
  let onDone = () => {};
  const ready = new Promise<string>((resolve, reject) => {
    onReady = resolve;
    onFailed = reject;
  });
  let rejectDone = (_error: PlumeError) => {};
  const done = new Promise<void>((resolve, reject) => {
    onDone = resolve;
    rejectDone = reject;
  });
  done.catch(() => {}); // whoever supervises awaits it; until then a failure is not unhandled

  const killAll = () => {
    for (const child of children) child.kill("SIGKILL");
  };
  process.once("exit", killAll);

  const start = (name: "coordinator" | "worker", args: string[], environment = {}): ChildProcess => {
    const { file, execArgv } = entry(name);
    const child = spawn(process.execPath, [...execArgv, file, ...args], {
      cwd: process.cwd(),
      env: { ...process.env, PLUME_TOKEN: undefined, ...environment, NODE_PATH: undefined } as NodeJS.ProcessEnv,
      stdio: ["ignore", "inherit", "pipe", "ipc"],
      // A group of its own: Ctrl-C in a terminal reaches the command line alone, which decides what it means.
      detached: true,
    });
    createInterface({ input: child.stderr! }).on("line", (line) => {
      if (!isChatter(line)) onOutput(line);
    });
    children.add(child);
    child.on("exit", () => children.delete(child));
    return child;
  };

  /** The run is over, one way or the other. */
  const finish = (failure: PlumeError | null) => {
    ending = true;
    for (const slot of slots.values()) if (slot.replacement) clearTimeout(slot.replacement);
    setTimeout(killAll, LEAVE_MS).unref();
    if (!failure) return onDone();
    onFailed(failure);
    rejectDone(failure);
  };

  const startCoordinator = (recovering: boolean, failuresInRow: number) => {
    const args = ["--job", jobFile, "--out", out, "--listen", address ?? listen];
    args.push("--log-file", join(logs, "coordinator.log"));
    if (page) args.push("--page-port", new URL(page.url).port || "80");
    for (const field of allow) args.push("--allow", field);
    args.push(...(recovering ? ["--resume", "latest", "--recovering"] : ["--resume", resume]));
    let failure: PlumeError | null = null;
    let productive = false;
    const token = options.token ?? process.env.PLUME_TOKEN;
    coordinator = start("coordinator", args, token ? { PLUME_TOKEN: token } : {});
    coordinator.on("message", (message: CoordinatorMessage) => {
      switch (message.kind) {
        case "ready":
          address = message.address;
          page = message.page;
          onReady(message.address);
          return scale(wanted); // those that left with the coordinator before are wanted again
        case "productive":
          productive = true;
          return;
        case "ending":
          ending = true;
          return;
        case "scale":
          return scale(message.replicas);
        case "lost":
          return lost(message.worker);
        case "error":
          failure = new PlumeError(message.code, message.message, message);
          return;
        default:
          message satisfies never;
      }
    });
    coordinator.on("exit", (code, signal) => {
      if (code === 0 && !failure) return finish(null);
      if (failure && isFinal(failure.code)) return finish(failure);
      const decision = decideRestart({ code, signal }, { failuresInRow, productive }, maxRestarts);
      const ended = failure ?? endedEarly(code, signal);
      if (address === null || stopping || decision.kind === "give-up") return finish(ended);
      onNote(`the coordinator ${decision.reason}`);
      ending = false;
      setTimeout(() => !ending && startCoordinator(true, decision.failuresInRow), decision.afterMs);
    });
  };

  const startWorker = (slot: Slot) => {
    if (ending || slot.index >= wanted || slot.child) return;
    const id = `worker-${slot.index}`;
    const args = ["--coordinator", advertise ?? address!, "--id", id, "--log-file", join(logs, `${id}.log`)];
    const child = start("worker", args, workerEnvironment(slot.index));
    slot.child = child;
    slot.productive = false;
    child.on("message", (message: WorkerMessage) => {
      if (message.kind === "productive") slot.productive = true;
      if (slot.replacement) clearTimeout(slot.replacement);
      slot.replacement = null;
    });
    child.on("exit", (code, signal) => {
      slot.child = null;
      if (slot.replacement) clearTimeout(slot.replacement);
      slot.replacement = null;
      if (ending || slot.index >= wanted) return;
      const decision = decideRestart({ code, signal }, slot, maxRestarts);
      onNote(`${id} ${decision.reason}`);
      if (decision.kind === "give-up") return giveUp(slot, decision.reason);
      slot.failuresInRow = decision.failuresInRow;
      setTimeout(() => startWorker(slot), decision.afterMs).unref();
    });
  };

  const giveUp = (slot: Slot, reason: string) => {
    slot.givenUp = true;
    const left = wanted - [...slots.values()].filter(({ givenUp, index }) => givenUp && index < wanted).length;
    if (left >= min) return onNote(`worker-${slot.index} is given up; ${left} of ${wanted} workers go on`);
    const message = `worker-${slot.index} ${reason}; ${left} workers remain and workers.min is ${min}`;
    const failure = new PlumeError("UNAVAILABLE", message, {
      remedy: `see ${join(logs, `worker-${slot.index}.log`)}; then run the same command again: it resumes`,
    });
    coordinator.removeAllListeners("exit");
    coordinator.once("exit", () => finish(failure));
    coordinator.kill("SIGTERM");
  };

  const scale = (replicas: number) => {
    wanted = replicas;
    for (let index = 0; index < replicas; index++) {
      const slot = slots.get(index) ?? newSlot(index);
      slot.givenUp = false; // asked for again
      slots.set(index, slot);
      startWorker(slot);
    }
    for (const { child, index } of slots.values())
      if (child && index >= replicas) {
        child.kill("SIGTERM");
        setTimeout(() => child.kill("SIGKILL"), SCALED_AWAY_MS).unref();
      }
  };

  /** A worker was expelled: it comes back by itself, or it is frozen for good. */
  const lost = (worker: string) => {
    const slot = [...slots.values()].find(({ index }) => `worker-${index}` === worker);
    const child = slot?.child;
    if (!slot || !child) return;
    if (slot.replacement) clearTimeout(slot.replacement);
    slot.replacement = setTimeout(() => {
      onNote(`${worker} was expelled and is not back after ${replaceMs / 1000} s; replacing its process`);
      child.kill("SIGKILL");
    }, replaceMs);
  };

  startCoordinator(false, 0);
  await ready;

  return {
    get address() {
      return address!;
    },
    get page() {
      return page;
    },
    done,
    stop() {
      stopping = true;
      coordinator.kill("SIGTERM");
    },
    kill() {
      ending = true;
      killAll();
    },
  };
}

function newSlot(index: number): Slot {
  return { index, child: null, failuresInRow: 0, productive: false, givenUp: false, replacement: null };
}

function endedEarly(code: number | null, signal: NodeJS.Signals | null): PlumeError {
  const how = signal ? `was killed (${signal})` : `ended with code ${code}`;
  return new PlumeError("UNAVAILABLE", `the coordinator ${how}`, {
    remedy: "run the same command again: it resumes from the newest snapshot or checkpoint",
  });
}
