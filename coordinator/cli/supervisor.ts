// Runs a job on this machine: one coordinator process and N worker processes, real ones, talking gRPC. Restarts a
// worker that dies, with growing pauses; passes a stop on; leaves no process behind.

import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ErrorCode, PlumeError } from "../../shared/errors.ts";

export interface SupervisorOptions {
  /** The resolved job file that the coordinator reads. */
  readonly jobFile: string;
  readonly out: string;
  readonly workers: number;
  readonly resume: string;
  readonly listen: string;
  /** Restarts of one worker before it is given up. */
  readonly maxRestarts: number;
  readonly onNote: (line: string) => void;
}

export interface Supervisor {
  /** host:port of the coordinator. */
  readonly address: string;
  /** Resolves when the coordinator has ended well; rejects with its error. */
  readonly done: Promise<void>;
  readonly workerPids: () => readonly number[];
  /** First: stop after the step in progress, with a checkpoint. Second: at once. */
  stop(): void;
  kill(): void;
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** After the coordinator's end, a worker has this long to leave. */
const LEAVE_MS = 5_000;

type CoordinatorMessage =
  | { readonly kind: "ready"; readonly address: string }
  | { readonly kind: "error"; readonly code: ErrorCode; readonly message: string; readonly remedy?: string };

export async function superviseRun(options: SupervisorOptions): Promise<Supervisor> {
  const { jobFile, out, workers, resume, listen, maxRestarts, onNote } = options;
  const logs = join(out, "logs");
  let ending = false;
  const children = new Set<ChildProcess>();

  const start = (script: string, args: string[], ipc: boolean): ChildProcess => {
    const child = spawn(process.execPath, ["--import", "tsx", "--enable-source-maps", join(ROOT, script), ...args], {
      cwd: process.cwd(),
      env: { ...process.env, NODE_PATH: undefined } as NodeJS.ProcessEnv,
      stdio: ipc ? ["ignore", "inherit", "inherit", "ipc"] : ["ignore", "inherit", "inherit"],
      // A group of its own: Ctrl-C in a terminal reaches the command line alone, which decides what it means.
      detached: true,
    });
    children.add(child);
    child.on("exit", () => children.delete(child));
    return child;
  };

  const coordinatorArgs = [
    "--job",
    jobFile,
    "--out",
    out,
    "--resume",
    resume,
    "--listen",
    listen,
    "--log-file",
    join(logs, "coordinator.log"),
  ];
  const coordinator = start("coordinator/main.ts", coordinatorArgs, true);
  let failure: PlumeError | null = null;
  const ready = new Promise<string>((resolve, reject) => {
    coordinator.on("message", (message: CoordinatorMessage) => {
      if (message.kind === "ready") resolve(message.address);
      else failure = new PlumeError(message.code, message.message, message.remedy ? { remedy: message.remedy } : {});
    });
    coordinator.on("exit", (code, signal) => reject(failure ?? endedEarly(code, signal)));
  });
  const done = new Promise<void>((resolve, reject) => {
    coordinator.on("exit", (code, signal) => {
      ending = true;
      setTimeout(killAll, LEAVE_MS).unref();
      if (code === 0 && !failure) resolve();
      else reject(failure ?? endedEarly(code, signal));
    });
  });
  done.catch(() => {}); // whoever supervises awaits it; until then a failure is not unhandled

  const killAll = () => {
    for (const child of children) child.kill("SIGKILL");
  };
  process.once("exit", killAll);

  let givenUp = 0;
  const workerByIndex = new Map<number, ChildProcess>();
  const startWorker = (address: string, index: number, restarts: number) => {
    if (ending) return;
    const id = `worker-${index}`;
    const child = start(
      "worker/main.ts",
      ["--coordinator", address, "--id", id, "--log-file", join(logs, `${id}.log`)],
      false,
    );
    const startedAt = performance.now();
    workerByIndex.set(index, child);
    child.on("exit", (code, signal) => {
      workerByIndex.delete(index);
      if (ending || code === 0) return;
      const why = signal ? `was killed (${signal})` : `ended with code ${code}`;
      const lived = performance.now() - startedAt;
      const counted = lived > LONGEST_PAUSE_MS ? 0 : restarts;
      if (counted >= maxRestarts) {
        onNote(`${id} ${why}; given up after ${counted} restarts (see ${join(logs, `${id}.log`)})`);
        if (++givenUp === workers) {
          failure = new PlumeError("UNAVAILABLE", "every worker has failed", { remedy: `see the logs in ${logs}` });
          coordinator.kill("SIGTERM");
        }
        return;
      }
      const pause = Math.min(FIRST_PAUSE_MS * 2 ** counted, LONGEST_PAUSE_MS);
      onNote(`${id} ${why}; starting it again in ${pause / 1000} s`);
      setTimeout(() => startWorker(address, index, counted + 1), pause).unref();
    });
  };

  const address = await ready;
  for (let index = 0; index < workers; index++) startWorker(address, index, 0);

  return {
    address,
    done,
    workerPids: () => [...workerByIndex.values()].flatMap((child) => child.pid ?? []),
    stop: () => void coordinator.kill("SIGTERM"),
    kill() {
      ending = true;
      killAll();
    },
  };
}

function endedEarly(code: number | null, signal: NodeJS.Signals | null): PlumeError {
  const how = signal ? `was killed (${signal})` : `ended with code ${code}`;
  return new PlumeError("UNAVAILABLE", `the coordinator ${how}`, {
    remedy: "run the same command again: it resumes from the newest checkpoint",
  });
}
