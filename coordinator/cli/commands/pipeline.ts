// plume pipeline: jobs that need one another. One file a subcommand.

import { Command } from "commander";
import { runCommand } from "./pipeline/run.ts";
import { statusCommand } from "./pipeline/status.ts";

export function pipelineCommand(): Command {
  const command = new Command("pipeline")
    .description("train jobs that need one another: a teacher and its student, a base and its upsampler")
    .addHelpText(
      "after",
      `
A pipeline file names stages: each a job (in line, or a job file), and which stage's weights it takes.

Examples:
  plume pipeline run -f deploy/pipelines/distilled.yaml
  plume pipeline run -f deploy/pipelines/distilled.yaml   # again: goes on where it stopped
  plume pipeline status -f deploy/pipelines/distilled.yaml
  plume sample --pipeline runs/text-to-image --prompt "large red square top left" -o red.png

plume pipeline <command> --help has more of each.`,
    );
  for (const make of [runCommand, statusCommand]) command.addCommand(make());
  return command;
}
