// plume checkpoints export: a checkpoint's weights in the field's form.

import { resolve } from "node:path";
import { Command } from "commander";
import { readWeights } from "../../../../shared/interop/export.ts";
import { FORMATS, type FormatName, filesOf } from "../../../../shared/interop/formats.ts";
import { checkWeights } from "../../../../shared/interop/load-model.ts";
import { refuseIfFilled, writeFolder } from "../../../../shared/interop/write.ts";
import { action, type CommandIo } from "../../action.ts";
import { oneOf } from "../../options.ts";
import { megabytes } from "../../table.ts";
import { STEP_OPTION, STORE, storeAndStep } from "./store.ts";

interface ExportOptions {
  readonly format: string;
  readonly output: string;
  readonly weights: string;
  readonly step?: string;
  readonly force?: boolean;
}

const NAMES = Object.keys(FORMATS) as FormatName[];

export function exportCommand(): Command {
  return new Command("export")
    .description("write a checkpoint's weights as a folder that Python reads")
    .argument("<checkpoint>", STORE)
    .option("--format <name>", NAMES.join(" | "), NAMES[0])
    .requiredOption("-o, --output <dir>", "the folder to write")
    .option("--weights <which>", "ema | raw", "ema")
    .option(STEP_OPTION[0], "this checkpoint instead of the newest")
    .option("--force", "replace a folder that is there")
    .addHelpText(
      "after",
      `
Formats:
${NAMES.map((name) => `  ${name.padEnd(13)} ${FORMATS[name].about}`).join("\n")}

Examples:
  plume checkpoints export runs/fashion -o fashion-diffusers
  plume checkpoints export runs/fashion --format safetensors --weights raw --step 500 -o weights
  plume checkpoints export runs/plain-vae --format diffusers-vae -o vae`,
    )
    .action(action(exportWeights));
}

async function exportWeights(io: CommandIo, options: ExportOptions, checkpoint: string): Promise<undefined> {
  const { output, force = false } = options;
  const format = oneOf("--format", options.format, NAMES);
  const weights = checkWeights(options.weights);
  refuseIfFilled(resolve(output), output, force);
  const { store, only } = await storeAndStep(checkpoint, options.step);
  const model = await readWeights(store, only ?? "latest", weights, (step, reason) =>
    io.note(`the checkpoint of step ${step} is not whole and was passed over: ${reason}`),
  );
  const files = filesOf(format, model);
  writeFolder(output, files, force);
  const bytes = Object.values(files).reduce((sum, file) => sum + file.byteLength, 0);
  io.print(`step ${model.step} (${weights} weights) as ${format} in ${output}, ${megabytes(bytes)}`);
  for (const name of Object.keys(files)) io.print(`  ${name}`);
  io.result({
    folder: output,
    format,
    step: model.step,
    weights,
    job: model.job.metadata.name,
    files: Object.keys(files),
    bytes,
  });
  return undefined;
}
