// plume checkpoints: what stores hold, whether it is whole, and the ways in and out. One file a subcommand.

import { Command } from "commander";
import { cpCommand } from "./checkpoints/cp.ts";
import { exportCommand } from "./checkpoints/export.ts";
import { gcCommand } from "./checkpoints/gc.ts";
import { importCommand } from "./checkpoints/import.ts";
import { lsCommand } from "./checkpoints/ls.ts";
import { rmCommand } from "./checkpoints/rm.ts";
import { verifyCommand } from "./checkpoints/verify.ts";

const SUBCOMMANDS = [lsCommand, verifyCommand, cpCommand, rmCommand, gcCommand, exportCommand, importCommand];

export function checkpointsCommand(): Command {
  const command = new Command("checkpoints")
    .description("list, verify, copy, remove, clean up, export and import checkpoints")
    .addHelpText(
      "after",
      `
Examples:
  plume checkpoints ls runs/fashion
  plume checkpoints verify file://runs/fashion/checkpoints --step 500
  plume checkpoints cp runs/fashion file:///backup/fashion
  plume checkpoints rm runs/fashion 500
  plume checkpoints export runs/fashion -o fashion-diffusers
  plume checkpoints import fashion-diffusers -o runs/more

plume checkpoints <command> --help has more of each.`,
    );
  for (const make of SUBCOMMANDS) command.addCommand(make());
  return command;
}
