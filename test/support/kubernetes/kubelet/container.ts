// A container of a pod: a process in its surroundings, which can be asked for and killed. The network is this machine's; a
// pod has an address of its own on it.

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
  kill(signal: NodeJS.Signals): void;
  /** What it wrote. */
  readonly log: string;
}

export function startContainer(surroundings: Surroundings): Container {
  mkdirSync(surroundings.folder, { recursive: true });
  const file = join(surroundings.folder, "log");
  const output = openSync(file, "a");
  const child = enterContainer(surroundings, ["ignore", output, output]);
  closeSync(output);
  const exited = new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    // unshare ends by the signal that ended its child, but cannot for SIGKILL: then it says so.
    child.on("exit", (code, signal) => {
      const wasKilled = signal === "SIGKILL" || (code === 1 && readFileSync(file, "utf8").endsWith(KILLED));
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
    kill(signal) {
      const pid = inner();
      if (pid !== null) process.kill(pid, signal);
      else child.kill("SIGKILL");
    },
    get log() {
      return readFileSync(file, "utf8").replace(KILLED, "");
    },
  };
}

const KILLED = "unshare: sigprocmask unblock failed: Invalid argument\n";
