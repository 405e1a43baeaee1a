// The command line: one file a command in commands/, wired here.

import { Command } from "commander";
import { reportError } from "./action.ts";

const program = new Command("plume")
  .description("Train diffusion models on many GPUs: the same bits at any size and through any failure.")
  .option("--json", "print one machine-readable JSON document")
  .exitOverride()
  .showHelpAfterError("(add --help for the options and an example)");

// Each command: program.addCommand(xCommand()); a helper adds its own line here.

try {
  await program.parseAsync();
} catch (error) {
  const code = (error as { code?: string }).code ?? "";
  if (code.startsWith("commander.")) {
    const fine = ["commander.help", "commander.helpDisplayed", "commander.version"].includes(code);
    process.exitCode = fine ? 0 : 2;
  } else process.exitCode = reportError(error, process.argv.includes("--json"));
}
