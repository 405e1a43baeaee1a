// The process that draws images of a run for its page: plume serve, begun when somebody asks, ended when nobody has for a while.
// It is of the lowest priority and on the processor alone: training goes on as if it were not there, on GPUs too.

import { type ChildProcess, spawn } from "node:child_process";
import { constants, setPriority } from "node:os";
import { PlumeError } from "../../shared/errors.ts";
import { newToken } from "../../shared/http/token.ts";
import { entry } from "../../shared/root.ts";

export interface DrawingAddress {
  readonly url: string;
  readonly token: string;
}

export interface DrawingProcess {
  /** Uses it, so long; starts it where there is none. @throws PlumeError where it cannot start, such as without a checkpoint. */
  use<T>(what: (address: DrawingAddress) => Promise<T>): Promise<T>;
  close(): void;
}

interface Started {
  readonly child: ChildProcess;
  readonly address: Promise<DrawingAddress>;
}

/** @param folder of the run. @param idleMs after which it is ended. */
export function createDrawingProcess(folder: string, idleMs: number): DrawingProcess {
  let started: Started | null = null;
  let users = 0;
  let timer: NodeJS.Timeout | undefined;
  const close = () => {
    clearTimeout(timer);
    if (started?.child.connected) started.child.disconnect(); // whereupon it ends
    started = null;
  };
  const begin = (): Started => {
    const one = start(folder);
    one.child.once("exit", () => {
      if (started === one) started = null;
    });
    return one;
  };
  return {
    close,
    async use(what) {
      users++;
      clearTimeout(timer);
      started ??= begin();
      try {
        return await what(await started.address);
      } finally {
        users--;
        if (users === 0) timer = setTimeout(close, idleMs).unref();
      }
    },
  };
}

function start(folder: string): Started {
  const { file, execArgv } = entry("plume");
  const token = newToken();
  const args = ["serve", folder, "--workers", "1", "--backend", "wasm", "--json"];
  const child = spawn(process.execPath, [...execArgv, file, ...args], {
    env: { ...process.env, PLUME_TOKEN: token },
    stdio: ["ignore", "pipe", "ignore", "ipc"],
  });
  if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW); // its processes inherit it
  let output = "";
  child.stdout!.on("data", (piece) => {
    output += piece;
  });
  const address = new Promise<DrawingAddress>((resolve, reject) => {
    child.once("message", (message) => resolve({ url: (message as { readonly url: string }).url, token }));
    child.once("error", reject);
    child.once("close", () => reject(whyNot(output)));
  });
  address.catch(() => {}); // whoever uses it hears of it
  return { child, address };
}

/** @param output what the command printed with --json. */
function whyNot(output: string): PlumeError {
  try {
    const { code, message, remedy } = JSON.parse(output).error;
    const isEarly = code === "NOT_FOUND";
    return new PlumeError(code, message, {
      remedy: isEarly
        ? "the run saves one every checkpoint.everySteps steps, and now by the button Checkpoint"
        : remedy,
    });
  } catch {
    return new PlumeError("UNAVAILABLE", "the process that draws images ended", { remedy: "ask again" });
  }
}
