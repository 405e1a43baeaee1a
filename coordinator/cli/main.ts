// The command line: one file a command in commands/, wired here.

import { Command } from "commander";
import { PLUME_VERSION } from "../../shared/version.ts";
import { reportError } from "./action.ts";

// A reader that has seen enough (head, less) is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

const program = new Command("plume")
  .description("Train diffusion models on many GPUs: the same bits at any size and through any failure.")
  .version(PLUME_VERSION)
  .option("--json", "print one machine-readable JSON document")
  .addHelpText(
    "after",
    "\nExample:\n  plume train -f deploy/jobs/shapes.yaml\n  plume sample runs/shapes -o shapes.png",
  )
  .exitOverride()
  .showHelpAfterError("(add --help for the options and an example)");

/** A command's code is loaded when it is meant, or all of them for the help that lists them. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  train: async () => (await import("./commands/train.ts")).trainCommand(),
  pipeline: async () => (await import("./commands/pipeline.ts")).pipelineCommand(),
  sample: async () => (await import("./commands/sample.ts")).sampleCommand(),
  serve: async () => (await import("./commands/serve.ts")).serveCommand(),
  edit: async () => (await import("./commands/edit.ts")).editCommand(),
  posterior: async () => (await import("./commands/posterior.ts")).posteriorCommand(),
  eval: async () => (await import("./commands/eval.ts")).evalCommand(),
  likelihood: async () => (await import("./commands/likelihood.ts")).likelihoodCommand(),
  ctl: async () => (await import("./commands/ctl.ts")).ctlCommand(),
  audit: async () =>
    (await import("./commands/audit.ts")).auditCommand(async (...args) =>
      (await import("./replay.ts")).replay(...args),
    ),
  report: async () => (await import("./commands/report.ts")).reportCommand(),
  compare: async () => (await import("./commands/compare.ts")).compareCommand(),
  checkpoints: async () => (await import("./commands/checkpoints.ts")).checkpointsCommand(),
  data: async () => (await import("./commands/data.ts")).dataCommand(),
  render: async () => (await import("./commands/render.ts")).renderCommand(),
  doctor: async () => (await import("./commands/doctor.ts")).doctorCommand(),
};
const meant = process.argv.slice(2).find((word) => !word.startsWith("-")) ?? "";
const load = COMMANDS[meant] ? [COMMANDS[meant]] : Object.values(COMMANDS);
/** A command and its subcommands inherit how mistakes end: exit code 2, a hint at --help. */
function inherit(command: Command, parent: Command): Command {
  command.copyInheritedSettings(parent);
  for (const each of command.commands) inherit(each as Command, command);
  return command;
}
for (const command of await Promise.all(load.map((make) => make()))) program.addCommand(inherit(command, program));

try {
  await program.parseAsync();
} catch (error) {
  const code = (error as { code?: string }).code ?? "";
  if (code.startsWith("commander.")) {
    const fine = ["commander.help", "commander.helpDisplayed", "commander.version"].includes(code);
    process.exitCode = fine ? 0 : 2;
  } else process.exitCode = reportError(error, process.argv.includes("--json"));
}

// A connection that is still being dialled cannot be taken back: to an address that swallows packets it would keep the process
// for two minutes after its answer.
if (meant === "ctl") {
  for (const stream of [process.stdout, process.stderr])
    await new Promise<void>((done) => stream.write("", () => done()));
  process.exit();
}
