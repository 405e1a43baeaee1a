// The Python of `npm run setup:python`: torch, diffusers and transformers, the real ones.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { cacheFolder } from "../../shared/cache-folder.ts";

const PYTHON = cacheFolder("python/current/bin/python");
const PEER = fileURLToPath(new URL("python/diffusers_peer.py", import.meta.url));
const T5_PEER = fileURLToPath(new URL("python/t5_peer.py", import.meta.url));
/** Beside diffusers, which would load it wherever it found it. */
const TRANSFORMERS = cacheFolder("python/transformers");

/** Runs a script. @throws with the command that sets Python up, or with what the script said. */
export function python(script: string, args: readonly string[] = [], input = "", path?: string): string {
  if (!existsSync(PYTHON)) throw new Error(`there is no Python in plume's cache (${PYTHON}): npm run setup:python`);
  const env = {
    ...process.env,
    HF_HUB_OFFLINE: "1",
    OMP_NUM_THREADS: "1",
    ...(path !== undefined && { PYTHONPATH: path }),
  };
  const { status, stdout, stderr } = spawnSync(PYTHON, [script, ...args], {
    input,
    encoding: "utf8",
    env,
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`${script} ended with ${status}\n${stdout}\n${stderr}`);
  return stdout;
}

export type Task = { readonly kind: string; readonly folder: string } & Readonly<Record<string, unknown>>;

/** Results of test/support/python/diffusers_peer.py, one a task; one process for all, as torch takes seconds to load. */
export const diffusers = (tasks: readonly Task[]): unknown[] =>
  JSON.parse(python(PEER, [], JSON.stringify(tasks))) as unknown[];

/** Results of test/support/python/t5_peer.py, one a task. */
export const transformers = (tasks: readonly Task[]): unknown[] =>
  JSON.parse(python(T5_PEER, [], JSON.stringify(tasks), TRANSFORMERS)) as unknown[];
