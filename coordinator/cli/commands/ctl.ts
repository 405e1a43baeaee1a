// plume ctl: commands to a running job. It finds the coordinator by the run's folder, or by --address.

import { randomUUID } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { Command } from "commander";
import { ControlServiceClient, type Status, type WatchResponse } from "../../../proto/gen/plume/v1/control.ts";
import type { RunEvent } from "../../../shared/bus/events.ts";
import { PlumeError } from "../../../shared/errors.ts";
import { fromServiceError } from "../../../shared/rpc/call.ts";
import { ownConnection } from "../../../shared/rpc/transport.ts";
import { readRunLock } from "../../../shared/run-lock/lock.ts";
import { readSummary } from "../../../shared/summary.ts";
import { action, type CommandIo } from "../action.ts";
import { wholeNumber } from "../options.ts";
import { createProgressLine } from "../progress-line.ts";
import { statusText } from "../status-text.ts";

interface CtlOptions {
  readonly address?: string;
}

/** Longer than any step in progress that a command may have to wait for. */
const DEADLINE_MS = 120_000;

export function ctlCommand(): Command {
  const ctl = new Command("ctl").description("see and steer a running job").addHelpText(
    "after",
    `
RUN is the run's folder (runs/fashion); without it, the one job that is running below runs/.

Examples:
  plume ctl status                        phase and reason, workers, recoveries, where the time went
  plume ctl scale 4 runs/fashion          four workers from now on, within workers.min and workers.max
  plume ctl pause                         finish the step in progress, then compute nothing
  plume ctl checkpoint --json
  plume ctl events runs/fashion           every event as it happens, one JSON document a line with --json

Exit codes: 0 done, 1 the coordinator cannot be reached, 2 a mistake in the command, or the job is not in a state for it.`,
  );
  const verb = (name: string, description: string) =>
    ctl
      .command(name)
      .description(description)
      .option("--address <host:port>", "a coordinator that this machine has no run folder of");
  verb("status", "phase with its reason, step, loss, time left, workers, recoveries, goodput, newest decisions")
    .argument("[run]", "the run's folder")
    .action(withClient(status));
  verb("pause", "finish the step in progress, then compute nothing until resume")
    .argument("[run]", "the run's folder")
    .action(withClient(pause));
  verb("resume", "go on after a pause").argument("[run]", "the run's folder").action(withClient(resume));
  verb("stop", "finish the step in progress, save a checkpoint, end the run")
    .argument("[run]", "the run's folder")
    .action(withClient(stop));
  verb("checkpoint", "save a checkpoint now; answers once it is written")
    .argument("[run]", "the run's folder")
    .action(withClient(checkpoint));
  verb("events", "show every event as it happens").argument("[run]", "the run's folder").action(withClient(events));
  verb("scale", "run with another number of workers, from the next step on, to the same bits")
    .argument("<n>", "workers, from workers.min to workers.max")
    .argument("[run]", "the run's folder")
    .action(
      action<CtlOptions>((io, options, n, run) => {
        const replicas = wholeNumber("N", n!);
        return connected(io, options, run, (client) => scale(io, client, replicas));
      }),
    );
  return ctl;
}

type Verb = (io: CommandIo, client: ControlServiceClient) => Promise<void>;

const withClient = (verb: Verb) =>
  action<CtlOptions>((io, options, run) => connected(io, options, run, (client) => verb(io, client)));

async function connected(
  io: CommandIo,
  options: CtlOptions,
  run: string | undefined,
  ask: (client: ControlServiceClient) => Promise<void>,
): Promise<undefined> {
  const { address, folder } = options.address ? { address: options.address, folder: null } : locate(run);
  const client = new ControlServiceClient(address, credentials.createInsecure(), ownConnection);
  const cancel = () => client.close();
  io.signal.addEventListener("abort", cancel, { once: true });
  try {
    await ask(client);
  } catch (error) {
    const known = fromServiceError(error);
    if (known.code !== "UNAVAILABLE") throw known;
    throw new PlumeError("UNAVAILABLE", `the coordinator on ${address} does not answer: ${known.message}`, {
      remedy: folder
        ? "if it was killed just now, its supervisor is starting it again: try in a moment"
        : "check --address, and that the job is running",
    });
  } finally {
    io.signal.removeEventListener("abort", cancel);
    client.close();
  }
}

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
  return `: it is ${outcome} after ${steps} steps`;
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

/** A unary call as a promise, with a deadline. */
function call<Response>(
  start: (options: { deadline: number }, done: (error: ServiceError | null, response: Response) => void) => unknown,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    start({ deadline: Date.now() + DEADLINE_MS }, (error, response) => (error ? reject(error) : resolve(response)));
  });
}

async function status(io: CommandIo, client: ControlServiceClient): Promise<void> {
  const { status } = await call<{ status?: Status | undefined }>((options, done) =>
    client.getStatus({}, new Metadata(), options, done),
  );
  io.print(statusText(status!));
  io.result(status);
}

async function pause(io: CommandIo, client: ControlServiceClient): Promise<void> {
  const answer = await call<{ alreadyPaused: boolean }>((o, done) =>
    client.pause({ requestId: randomUUID() }, new Metadata(), o, done),
  );
  io.print(
    answer.alreadyPaused ? "it was paused already" : "paused after the step in progress; plume ctl resume goes on",
  );
  io.result(answer);
}

async function resume(io: CommandIo, client: ControlServiceClient): Promise<void> {
  const answer = await call<{ wasPaused: boolean }>((o, done) =>
    client.resume({ requestId: randomUUID() }, new Metadata(), o, done),
  );
  io.print(answer.wasPaused ? "it goes on" : "it was not paused");
  io.result(answer);
}

async function stop(io: CommandIo, client: ControlServiceClient): Promise<void> {
  const request = { reason: "plume ctl stop", requestId: randomUUID() };
  const answer = await call<{ alreadyStopping: boolean }>((o, done) => client.stop(request, new Metadata(), o, done));
  io.print(
    answer.alreadyStopping ? "it was stopping already" : "stopping after the step in progress, with a checkpoint",
  );
  io.result(answer);
}

async function checkpoint(io: CommandIo, client: ControlServiceClient): Promise<void> {
  const answer = await call<{ step: number }>((o, done) =>
    client.checkpoint({ requestId: randomUUID() }, new Metadata(), o, done),
  );
  io.print(`the checkpoint of step ${answer.step} is written`);
  io.result(answer);
}

async function scale(io: CommandIo, client: ControlServiceClient, replicas: number): Promise<void> {
  const answer = await call<{ before: number; replicas: number }>((o, done) =>
    client.scale({ replicas, requestId: randomUUID() }, new Metadata(), o, done),
  );
  const { before } = answer;
  io.print(before === replicas ? `${replicas} workers are asked for already` : `from ${before} to ${replicas} workers`);
  io.result(answer);
}

async function events(io: CommandIo, client: ControlServiceClient): Promise<void> {
  const line = createProgressLine(process.stderr, () => performance.now());
  try {
    for await (const { event } of client.watch({}) as AsyncIterable<WatchResponse>) {
      if (io.json) process.stdout.write(`${event}\n`);
      else line.show(JSON.parse(event) as RunEvent);
    }
  } catch (error) {
    if (!io.signal.aborted) throw error;
  } finally {
    line.end();
  }
}
