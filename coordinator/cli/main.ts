// The command line: one file a command in commands/, wired here.

import { Command } from "commander";
import { PLUME_VERSION } from "../../shared/version.ts";
import { reportError } from "./action.ts";
import { auditCommand } from "./commands/audit.ts";
import { checkpointsCommand } from "./commands/checkpoints.ts";
import { ctlCommand } from "./commands/ctl.ts";
import { dataCommand } from "./commands/data.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { evalCommand } from "./commands/eval.ts";
import { sampleCommand } from "./commands/sample.ts";
import { trainCommand } from "./commands/train.ts";
import { replay } from "./replay.ts";

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

// Each command is one line here; it inherits how mistakes end (exit code 2, a hint at --help).
const add = (command: Command) => program.addCommand(command.copyInheritedSettings(program));
add(trainCommand());
add(sampleCommand());
add(evalCommand());
add(ctlCommand());
add(auditCommand(replay));
add(checkpointsCommand());
add(dataCommand());
add(doctorCommand());

try {
  await program.parseAsync();
} catch (error) {
  const code = (error as { code?: string }).code ?? "";
  if (code.startsWith("commander.")) {
    const fine = ["commander.help", "commander.helpDisplayed", "commander.version"].includes(code);
    process.exitCode = fine ? 0 : 2;
  } else process.exitCode = reportError(error, process.argv.includes("--json"));
}
