// The Python of `npm run setup:python`: torch and diffusers, the real ones.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { cacheFolder } from "../../shared/cache-folder.ts";

const PYTHON = cacheFolder("python/current/bin/python");
const PEER = fileURLToPath(new URL("python/diffusers_peer.py", import.meta.url));

/** Runs a script. @throws with the command that sets Python up, or with what the script said. */
export function python(script: string, args: readonly string[] = [], input = ""): string {
  if (!existsSync(PYTHON)) throw new Error(`there is no Python in plume's cache (${PYTHON}): npm run setup:python`);
  const env = { ...process.env, HF_HUB_OFFLINE: "1", OMP_NUM_THREADS: "1" };
  const { status, stdout, stderr } = spawnSync(PYTHON, [script, ...args], {
    input,
    encoding: "utf8",
    env,
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`${script} ended with ${status}\n${stdout}\n${stderr}`);
  return stdout;
}

export type DiffusersTask = { readonly kind: string; readonly folder: string } & Readonly<Record<string, unknown>>;

/** Results of test/support/python/diffusers_peer.py, one a task; one process for all, as torch takes seconds to load. */
export const diffusers = (tasks: readonly DiffusersTask[]): unknown[] =>
  JSON.parse(python(PEER, [], JSON.stringify(tasks))) as unknown[];
