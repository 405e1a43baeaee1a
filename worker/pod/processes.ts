// Some worker processes, kept alive: what dies is started again as shared/restart.ts decides, until all are asked to leave.

import { type ChildProcess, spawn } from "node:child_process";
import type { Logger } from "../../shared/log.ts";
import { decideRestart } from "../../shared/restart.ts";
import { entry } from "../../shared/root.ts";
import type { WorkerMessage } from "../../shared/supervision.ts";

export interface ProcessesOptions {
  readonly count: number;
  /** Arguments of a worker's process, by its number. */
  readonly args: (index: number) => readonly string[];
  /** Beside this process's own environment. */
  readonly environment: (index: number) => Readonly<Record<string, string>>;
  readonly log: Logger;
}

export interface Processes {
  /** Numbers of those that may not come back as they are. */
  readonly givenUp: ReadonlySet<number>;
  /** Asks all of them to leave. */
  leave(): void;
  /** Resolves when none is there and none will be, with the exit code of the last. */
  readonly ended: Promise<number>;
}

/** Of a worker that the coordinator has sent away: the run is over. */
const DONE = 0;
/** Nothing but an exit code that forbids it keeps a worker from being started again: the pod would be, too. */
const MAX_RESTARTS = Number.POSITIVE_INFINITY;

export function startProcesses({ count, args, environment, log }: ProcessesOptions): Processes {
  const children = new Map<number, ChildProcess>();
  const pauses = new Map<number, NodeJS.Timeout>();
  const givenUp = new Set<number>();
  let done = 0;
  let leaving = false;
  let lastCode = 0;
  let finish = (_code: number) => {};
  const ended = new Promise<number>((resolve) => {
    finish = resolve;
  });
  const finishIfDone = () => {
    if (children.size === 0 && pauses.size === 0 && (leaving || givenUp.size + done === count)) finish(lastCode);
  };

  const start = (index: number, failuresInRow: number) => {
    const { file, execArgv } = entry("worker");
    const child = spawn(process.execPath, [...execArgv, file, ...args(index)], {
      env: { ...process.env, ...environment(index) },
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    let productive = false;
    children.set(index, child);
    child.on("message", ({ kind }: WorkerMessage) => {
      productive ||= kind === "productive";
    });
    child.on("exit", (code, signal) => {
      children.delete(index);
      lastCode = code ?? 1;
      if (code === DONE) done++;
      else if (!leaving) again(index, { code, signal }, { failuresInRow, productive });
      finishIfDone();
    });
  };

  const again = (
    index: number,
    exit: Parameters<typeof decideRestart>[0],
    history: Parameters<typeof decideRestart>[1],
  ) => {
    const decision = decideRestart(exit, history, MAX_RESTARTS);
    log.warn({ process: index, decision: decision.kind, reason: decision.reason }, "a worker process ended");
    if (decision.kind === "give-up") return void givenUp.add(index);
    const { afterMs, failuresInRow } = decision;
    const begin = () => {
      pauses.delete(index);
      start(index, failuresInRow);
    };
    pauses.set(index, setTimeout(begin, afterMs));
  };

  for (let index = 0; index < count; index++) start(index, 0);
  return {
    givenUp,
    ended,
    leave() {
      leaving = true;
      for (const pause of pauses.values()) clearTimeout(pause);
      pauses.clear();
      for (const child of children.values()) child.kill("SIGTERM");
      finishIfDone();
    },
  };
}
