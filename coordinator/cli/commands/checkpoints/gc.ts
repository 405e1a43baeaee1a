// plume checkpoints gc: removes what no manifest names.

import { Command } from "commander";
import { locateCheckpoint } from "../../../../shared/checkpoint/locate.ts";
import { collectOrphans } from "../../../../shared/checkpoint/retention.ts";
import { counted } from "../../../../shared/counted.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import { action, type CommandIo } from "../../action.ts";
import { megabytes } from "../../table.ts";
import { STORE } from "./store.ts";

interface GcOptions {
  readonly olderThan: string;
}

export function gcCommand(): Command {
  return new Command("gc")
    .description("remove objects that no manifest names: what writers left that died or lost a race")
    .argument("<store>", STORE)
    .option("--older-than <hours>", "leave what was put since: a writer may be at it", "24")
    .addHelpText(
      "after",
      `
Examples:
  plume checkpoints gc runs/fashion
  plume checkpoints gc file://runs/fashion/checkpoints --older-than 1

Nothing above the newest checkpoint is touched, however old: plume checkpoints rm removes a step by name.`,
    )
    .action(action<GcOptions>((io, options, where) => gc(io, options, where!)));
}

async function gc(io: CommandIo, { olderThan }: GcOptions, where: string): Promise<undefined> {
  const hours = Number(olderThan);
  if (!(hours >= 0))
    throw new PlumeError("INVALID_ARGUMENT", `--older-than ${olderThan} is no number of hours`, {
      remedy: "for example --older-than 1",
    });
  const { store } = await locateCheckpoint(where);
  const removed = await collectOrphans(store, { nowMs: Date.now(), olderThanMs: hours * 3_600_000 });
  const bytes = removed.reduce((sum, { size }) => sum + size, 0);
  for (const { key } of removed) io.print(`removed ${key}`);
  io.print(`${counted(removed.length, "object")} removed, ${megabytes(bytes)}`);
  io.result({ store: store.url, removed: removed.map(({ key }) => key), bytes });
  return undefined;
}
