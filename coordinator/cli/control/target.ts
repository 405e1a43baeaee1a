// Which running job is meant, and by which way it is reached: the coordinator that a run's folder names, one at an address,
// or a job by its name on a NATS server.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { counted } from "../../../shared/counted.ts";
import { PlumeError } from "../../../shared/errors.ts";
import { settingsFrom } from "../../../shared/nats/settings.ts";
import { readRunLock } from "../../../shared/run-lock/lock.ts";
import { readSummary } from "../../../shared/summary.ts";
import { wholeNumber } from "../options.ts";
import { grpcWire } from "./grpc-wire.ts";
import { natsWire } from "./nats-wire.ts";
import type { ControlWire } from "./wire.ts";

export interface TargetOptions {
  readonly address?: string;
  readonly nats?: string;
  readonly job?: string;
  readonly creds?: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly timeout: string;
}

export const withTarget = (command: Command): Command =>
  command
    .option("--address <host:port>", "a coordinator that this machine has no run folder of")
    .option("--nats <url>", "through this NATS server, or several with commas (NATS_URL); needs --job")
    .option("--job <name>", "the job's name, on a NATS server")
    .option("--creds <file>", "credentials for NATS: a .creds file, or an nkey's seed (NATS_CREDS)")
    .option("--ca <file>", "who signed the NATS server's certificate, PEM (NATS_CA)")
    .option("--cert <file>", "a client's certificate for NATS, PEM (NATS_CERT)")
    .option("--key <file>", "its key, PEM (NATS_KEY)")
    .option("--timeout <seconds>", "how long an answer may take", "120");

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws PlumeError */
export async function openWire(
  options: TargetOptions,
  run: string | undefined,
  env: Environment = process.env,
): Promise<ControlWire> {
  const timeoutMs = 1000 * wholeNumber("--timeout", options.timeout);
  const { address, nats, job } = options;
  if (nats === undefined && job === undefined) {
    const onlyNats = (["creds", "ca", "cert", "key"] as const).find((name) => options[name] !== undefined);
    if (onlyNats)
      throw mistake(`--${onlyNats} is for a NATS server`, "name it with --nats URL, and the job with --job NAME");
    return grpcWire({ ...(address ? { address, folder: null } : locate(run)), timeoutMs });
  }
  if (address !== undefined || run !== undefined)
    throw mistake(
      `${address ? "--address" : `the folder ${run}`} is another way than NATS`,
      "leave one of the two away",
    );
  if (job === undefined) throw mistake("--nats needs the job's name", "add --job NAME");
  if (!/^[a-z0-9-]+$/.test(job))
    throw mistake(`--job ${JSON.stringify(job)} is no job's name`, "it is metadata.name of the job file");
  const servers = nats ?? env.NATS_URL;
  if (!servers) throw mistake("--job needs a NATS server", "add --nats URL, or set NATS_URL");
  const usual = settingsFrom(servers, env);
  const { creds = usual.credentials, ca = usual.ca, cert = usual.cert, key = usual.key } = options;
  const settings = { servers: usual.servers, credentials: creds, ca, cert, key };
  return natsWire({ settings, job, timeoutMs });
}

const mistake = (message: string, remedy: string) => new PlumeError("INVALID_ARGUMENT", message, { remedy });

/** The coordinator of a run's folder. @throws PlumeError NOT_FOUND, FAILED_PRECONDITION for a job that is not running. */
function locate(run: string | undefined): { address: string; folder: string } {
  const folder = run ?? theOneRunning();
  const lock = readRunLock(folder);
  if (lock?.alive && lock.record.address) return { address: lock.record.address, folder };
  if (lock?.alive)
    throw new PlumeError("UNAVAILABLE", `the coordinator of ${folder} is starting`, {
      remedy: "try again in a moment",
    });
  if (!existsSync(join(folder, "job.yaml")))
    throw new PlumeError("NOT_FOUND", `${folder} is no run's folder`, {
      remedy: "name the folder that plume train writes (--out), for example runs/fashion",
    });
  throw new PlumeError("FAILED_PRECONDITION", `the job of ${folder} is not running${howItEnded(folder)}`, {
    remedy: "start it with plume train: it resumes where it stopped",
  });
}

function howItEnded(folder: string): string {
  const file = join(folder, "summary.json");
  if (!existsSync(file)) return "";
  const { outcome, steps } = readSummary(file);
  return `: it is ${outcome} after ${counted(steps, "step")}`;
}

function theOneRunning(): string {
  const root = "runs";
  const folders = existsSync(root) ? readdirSync(root).map((name) => join(root, name)) : [];
  const running = folders.filter((folder) => readRunLock(folder)?.alive);
  if (running.length === 1) return running[0]!;
  throw new PlumeError(
    "NOT_FOUND",
    running.length === 0
      ? "no job is running below runs/"
      : `${running.length} jobs are running: ${running.join(", ")}`,
    { remedy: "name the run's folder, for example plume ctl status runs/fashion" },
  );
}
