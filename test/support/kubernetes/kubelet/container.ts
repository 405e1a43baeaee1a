// A container of a pod: a process in its surroundings, which can be asked for and killed.

import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { enterContainer, type Surroundings } from "../../container.ts";

export interface Container {
  /** Of the process itself, as this machine sees it; null before it is there and after its end. */
  readonly pid: number | null;
  readonly startedAt: Date;
  /** 128 + n for a signal. */
  readonly exited: Promise<number>;
  readonly isOver: boolean;
  kill(signal: NodeJS.Signals): void;
  /** What it wrote. */
  readonly log: string;
}

/** @param life how many were before it. */
export function startContainer(surroundings: Surroundings, life: number): Container {
  mkdirSync(surroundings.folder, { recursive: true });
  const file = join(surroundings.folder, `${life}.log`);
  const output = openSync(file, "a");
  const child = enterContainer(surroundings, ["ignore", output, output]);
  closeSync(output);
  let whole: string | null = null;
  const exited = new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    // unshare ends by the signal that ended its child, but cannot for SIGKILL: then it says so.
    child.on("exit", (code, signal) => {
      const said = readFileSync(file, "utf8");
      const wasKilled = signal === "SIGKILL" || (code === 1 && said.endsWith(KILLED));
      whole = said.replace(KILLED, "");
      resolve(wasKilled ? 137 : (code ?? 128 + constants.signals[signal!]));
    });
  });
  const inner = () => {
    try {
      const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim();
      return children === "" ? null : Number(children.split(" ")[0]);
    } catch {
      return null; // gone
    }
  };
  return {
    get pid() {
      return inner();
    },
    startedAt: new Date(),
    exited,
    get isOver() {
      return whole !== null;
    },
    kill(signal) {
      const pid = inner();
      if (pid !== null) process.kill(pid, signal);
      else child.kill("SIGKILL");
    },
    get log() {
      return whole ?? readFileSync(file, "utf8");
    },
  };
}

const KILLED = "unshare: sigprocmask unblock failed: Invalid argument\n";
