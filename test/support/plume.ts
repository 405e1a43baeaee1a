// Runs the command line as a user does: a real process, its output and exit code. Every run has its own folder.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundled, type ENTRIES } from "../../coordinator/cli/bundle.mjs";
import { plainName } from "../../shared/checkpoint/manifest.ts";
import { ROOT } from "../../shared/root.ts";
import { readSummary, type Summary } from "../../shared/summary.ts";
import { type Finished, finished } from "./processes.ts";

export type { Finished };

export const SHAPES_JOB = join(ROOT, "deploy/jobs/shapes.yaml");

export interface Running {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
}

export interface StartOptions {
  /** No file of its processes can grow beyond this: a full disk, as they see it. */
  readonly fileLimitKib?: number;
  /** Beside this process's own environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** PLUME_TEST_NODE names another node binary to test on. */
export function startPlume(args: readonly string[], { fileLimitKib, env }: StartOptions = {}): Running {
  const node = process.env.PLUME_TEST_NODE ?? process.execPath;
  const command = [node, join(ROOT, "coordinator/cli/plume.mjs"), ...args];
  // The signal that comes with the limit is ignored, so that writes fail.
  if (fileLimitKib) command.unshift("bash", "-c", `trap '' XFSZ; ulimit -f ${fileLimitKib}; exec "$0" "$@"`);
  const [file, ...words] = command;
  const child = spawn(file!, words, {
    cwd: ROOT,
    env: { ...process.env, PLUME_AUTO: "wasm", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  return { child, finished: finished(child) };
}

/** What one of plume's processes starts from, as `plume` starts it: not from the sources, which are compiled at each start. */
export const bundledFile = async (name: keyof typeof ENTRIES): Promise<string> => join(await bundled(), `${name}.mjs`);

export const plume = (...args: string[]): Promise<Finished> => startPlume(args).finished;

/** @returns what it prints with --json. @throws with the output when it does not end as expected. */
export async function plumeJson(...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await plume(...args, "--json");
  if (code !== 0) throw new Error(`plume ${args.join(" ")} ended with ${code}\n${stdout}\n${stderr}`);
  return JSON.parse(stdout);
}

/** A folder that is gone when the scope ends. */
export function scratchFolder(): Disposable & { readonly path: string; file(...parts: string[]): string } {
  const path = mkdtempSync(join(tmpdir(), "plume-test-"));
  return {
    path,
    file: (...parts) => join(path, ...parts),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** The smallest job that still trains: under 0.1 s a step. */
export function tinyJob(folder: string, overrides = ""): string {
  const file = join(folder, "job.yaml.in");
  writeFileSync(
    file,
    `metadata: { name: tiny }
spec:
  data: { source: "shapes:256", imageSize: 8, patch: 2 }
  model: { channels: 8, channelMult: [1, 2], groups: 4, classes: 10 }
  diffusion: { predict: v }
  training: { steps: 8, globalBatch: 16, microBatch: 4, optimizer: { lr: 2.0e-3 }, clip: 1, ema: 0.9 }
  sampling: { count: 10, steps: 4, guidance: 1.5 }
${overrides}`,
  );
  return file;
}

/** As small, of captions. @param lowRes more of its model, such as an upsampler's. */
export function textJob(folder: string, name = "text", side = 16, lowRes = ""): string {
  const file = join(folder, `${name}.yaml`);
  writeFileSync(
    file,
    `metadata: { name: ${name} }
spec:
  data: { source: "captions:64", imageSize: ${side}, patch: 4 }
  model: { channels: 8, channelMult: [1, 2], groups: 4, attention: [4], text: { width: 8, layers: 1 }${lowRes} }
  diffusion: { process: imagen, predict: v }
  training: { steps: 4, globalBatch: 16, microBatch: 4, optimizer: { lr: 2.0e-3 }, ema: 0.9 }
  sampling: { count: 8, steps: 3, guidance: 2 }
`,
  );
  return file;
}

/** Of the tiny job: time steps drawn by their losses, and so few that each of them has enough after some three steps. */
export const DRAWN_BY_LOSSES = [
  "diffusion.timesteps=4",
  "diffusion.timestepSampling=loss-second-moment",
  "diffusion.objective=vlb",
  "diffusion.variance=learned-range",
  "sampling.count=0",
].flatMap((setting) => ["--set", setting]);

/** Trains and returns the summary. @throws with the output when it does not end as expected. */
export async function train(job: string, out: string, ...args: string[]): Promise<Summary> {
  const { code, stdout, stderr } = await plume("train", "-f", job, "--out", out, ...args);
  if (code !== 0) throw new Error(`plume train ended with ${code}\n${stdout}\n${stderr}`);
  return readSummary(join(out, "summary.json"));
}

/** Polls until the condition holds. @throws after `seconds`. */
export async function until(what: string, condition: () => boolean, seconds = 60): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export const linesOf = (file: string): string[] =>
  existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : [];

/** Pid of a worker's newest process, from its log. */
export function workerPid(out: string, index: number): number | null {
  const last = linesOf(join(out, "logs", `worker-${index}.log`)).at(-1);
  return last ? (JSON.parse(last) as { pid: number }).pid : null;
}

/** A file of a checkpoint's folder by its name without the piece of a digest. */
export function checkpointFile(folder: string, name: string): string {
  const found = readdirSync(folder).find((each) => plainName(each) === name);
  if (!found) throw new Error(`${folder} has no ${name}`);
  return join(folder, found);
}
