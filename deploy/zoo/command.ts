// plume's own commands, as a person would type them, and what they said, kept: a zoo that was stopped goes on where it was.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { PlumeError } from "../../shared/errors.ts";
import { ROOT } from "../../shared/root.ts";

const PLUME = join(ROOT, "coordinator/cli/plume.mjs");

/** What it does is seen; @returns stdout. @throws PlumeError UNAVAILABLE with its exit code, INTERRUPTED by the signal. */
export async function plume(args: readonly string[], signal: AbortSignal): Promise<string> {
  const child = spawn(process.execPath, [PLUME, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  // A terminal's Ctrl-C reaches the child too, which saves and ends.
  const stop = () => child.kill("SIGTERM");
  signal.addEventListener("abort", stop, { once: true });
  let stdout = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    stdout += chunk;
  });
  const code = await new Promise<number | null>((done) => child.once("close", done));
  signal.removeEventListener("abort", stop);
  signal.throwIfAborted();
  if (code === 0) return stdout;
  throw new PlumeError("UNAVAILABLE", `plume ${args.join(" ")} ended with ${code}\n${stdout}`.trimEnd(), {
    remedy: "mend what it says and start the zoo again: it goes on where it was",
  });
}

/**
 * What a command says with --json; asked again only when it or `of` is another.
 * @param of what the answer depends on beside the arguments: the digest of the weights.
 */
export async function answer<T>(file: string, args: readonly string[], of: string, signal: AbortSignal): Promise<T> {
  const key = createHash("sha256")
    .update(JSON.stringify([args, of]))
    .digest("hex");
  const kept = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as { key: string; said: T }) : null;
  if (kept?.key === key) return kept.said;
  const said = JSON.parse(await plume([...args, "--json"], signal)) as T;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, JSON.stringify({ key, said }));
  renameSync(`${file}.new`, file);
  return said;
}
