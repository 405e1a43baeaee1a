// A backend measured in a process of its own, whose environment was set before it began. Both ends of it.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { BackendAdapter, BackendName } from "../../shared/backends/backend.ts";
import { BACKEND_NAMES } from "../../shared/backends/backend.ts";
import { computeEnvironment } from "../../shared/backends/environment.ts";
import { BACKENDS } from "../../shared/backends/index.ts";
import { invariant } from "../../shared/invariant.ts";

export interface Elsewhere<Opened> {
  readonly opened: Opened;
  /** So many turns. @returns milliseconds of each. */
  turns(n: number): Promise<readonly number[]>;
  close(): void;
}

/** Starts this bench again with `--serve REQUEST`, on one thread of the backend. */
export async function openElsewhere<Opened>(backend: BackendName, request: unknown): Promise<Elsewhere<Opened>> {
  const child: ChildProcess = fork(process.argv[1]!, ["--serve", JSON.stringify(request)], {
    env: { ...process.env, ...computeEnvironment({ backend, threads: 1, numerics: "strict" }) },
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  const answer = async <T>() => {
    const [message] = await Promise.race([
      once(child, "message"),
      once(child, "exit").then(([code]) =>
        Promise.reject(new Error(`${backend}: the bench's process ended with ${code}`)),
      ),
    ]);
    return message as T;
  };
  const opened = await answer<Opened>();
  return {
    opened,
    async turns(n) {
      child.send(n);
      return answer<readonly number[]>();
    },
    close: () => child.disconnect(),
  };
}

/** The other end. @param turn one of them. @returns milliseconds. */
export function serveTurns(opened: object, turn: () => Promise<number>): void {
  const run = async (turns: number) => {
    const millis: number[] = [];
    for (let k = 0; k < turns; k++) millis.push(await turn());
    process.send!(millis);
  };
  process.on("message", (turns: number) => void run(turns));
  process.on("disconnect", () => process.exit(0));
  process.send!(opened);
}

/** The backends that are asked for, or all that are here; why others are not goes to `missing`. */
export async function benchedBackends(
  asked: readonly string[] | undefined,
  missing: Set<string>,
): Promise<BackendName[]> {
  if (asked)
    return asked.map((wanted) => {
      const known = BACKEND_NAMES.find((name) => name === wanted);
      invariant(known, `--backend is one of ${BACKEND_NAMES.join(", ")}, not ${wanted}`);
      return known;
    });
  const here: BackendName[] = [];
  for (const name of BACKEND_NAMES) {
    const adapter: BackendAdapter = BACKENDS[name];
    const reason = await adapter.unavailable();
    if (reason !== null) missing.add(`${name}: ${reason}`);
    else if (!adapter.worthwhile || (await adapter.worthwhile())) here.push(name);
  }
  return here;
}
