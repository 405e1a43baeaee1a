// plume ctl: commands to a running job, and what has happened in it.

import { Command } from "commander";
import { action, type CommandIo } from "../action.ts";
import { openWire, type TargetOptions, withTarget } from "../control/target.ts";
import type { ControlWire } from "../control/wire.ts";
import { eventText } from "../event-text.ts";
import { wholeNumber } from "../options.ts";
import { statusText } from "../status-text.ts";

export function ctlCommand(): Command {
  const ctl = new Command("ctl").description("see and steer a running job").addHelpText(
    "after",
    `
RUN is the run's folder (runs/fashion); without it, the one job that is running below runs/. Or the job is reached through a
NATS server that its nats.servers names: --nats and --job, from anywhere, with the same output.

Examples:
  plume ctl status                        phase and reason, workers, recoveries, where the time went
  plume ctl scale 4 runs/fashion          four workers from now on, within workers.min and workers.max
  plume ctl pause                         finish the step in progress, then compute nothing
  plume ctl checkpoint --json
  plume ctl events runs/fashion --follow  what has happened, and what happens; one JSON document a line with --json
  plume ctl status --nats nats://nats:4222 --job fashion --creds operator.creds
  NATS_URL=tls://nats:4222 NATS_CA=ca.pem plume ctl events --job fashion

Exit codes: 0 done, 1 the coordinator cannot be reached, 2 a mistake in the command, or the job is not in a state for it.`,
  );
  const verb = (name: string, description: string, act: Act) =>
    withTarget(ctl.command(name).description(description))
      .argument("[run]", "the run's folder")
      .action(action<CtlOptions>((io, options, run) => connected(io, options, run, act)));
  verb(
    "status",
    "phase with its reason, step, loss, time left, workers, recoveries, goodput, newest decisions",
    status,
  );
  verb("pause", "finish the step in progress, then compute nothing until resume", pause);
  verb("resume", "go on after a pause", resume);
  verb("stop", "finish the step in progress, save a checkpoint, end the run", stop);
  verb("checkpoint", "save a checkpoint now; answers once it is written", checkpoint);
  verb("events", "what has happened, oldest first", events).option("--follow", "and what happens, until the run ends");
  withTarget(
    ctl.command("scale").description("run with another number of workers, from the next step on, to the same bits"),
  )
    .argument("<n>", "workers, from workers.min to workers.max")
    .argument("[run]", "the run's folder")
    .action(
      action<CtlOptions>((io, options, n, run) => {
        const replicas = wholeNumber("N", n!);
        return connected(io, options, run, (_, wire) => scale(io, wire, replicas));
      }),
    );
  return ctl;
}

interface CtlOptions extends TargetOptions {
  readonly follow?: boolean;
}

type Act = (io: CommandIo, wire: ControlWire, options: CtlOptions) => Promise<void>;

async function connected(io: CommandIo, options: CtlOptions, run: string | undefined, act: Act): Promise<undefined> {
  await using wire = await openWire(options, run);
  const interrupted = new Promise<never>((_, reject) => {
    io.signal.addEventListener("abort", () => reject(io.signal.reason), { once: true });
  });
  await Promise.race([act(io, wire, options), interrupted]);
}

async function status(io: CommandIo, wire: ControlWire): Promise<void> {
  const report = await wire.ask("status", {});
  io.print(statusText(report));
  io.result(report);
}

async function pause(io: CommandIo, wire: ControlWire): Promise<void> {
  const answer = await wire.ask("pause", {});
  io.print(
    answer.alreadyPaused ? "it was paused already" : "paused after the step in progress; plume ctl resume goes on",
  );
  io.result(answer);
}

async function resume(io: CommandIo, wire: ControlWire): Promise<void> {
  const answer = await wire.ask("resume", {});
  io.print(answer.wasPaused ? "it goes on" : "it was not paused");
  io.result(answer);
}

async function stop(io: CommandIo, wire: ControlWire): Promise<void> {
  const answer = await wire.ask("stop", { reason: "plume ctl stop" });
  io.print(
    answer.alreadyStopping ? "it was stopping already" : "stopping after the step in progress, with a checkpoint",
  );
  io.result(answer);
}

async function checkpoint(io: CommandIo, wire: ControlWire): Promise<void> {
  const answer = await wire.ask("checkpoint", {});
  io.print(`the checkpoint of step ${answer.step} is written`);
  io.result(answer);
}

async function scale(io: CommandIo, wire: ControlWire, replicas: number): Promise<void> {
  const answer = await wire.ask("scale", { replicas });
  const { before } = answer;
  io.print(before === replicas ? `${replicas} workers are asked for already` : `from ${before} to ${replicas} workers`);
  io.result(answer);
}

async function events(io: CommandIo, wire: ControlWire, { follow = false }: CtlOptions): Promise<void> {
  for await (const event of wire.events(follow, io.signal))
    if (io.json) process.stdout.write(`${JSON.stringify(event)}\n`);
    else io.print(eventText(event));
}
