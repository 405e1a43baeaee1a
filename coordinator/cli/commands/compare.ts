// plume compare: runs beside each other, as one page, and whether they ended with the same bits.

import { Command } from "commander";
import { PlumeError } from "../../../shared/errors.ts";
import { comparePage, compareRuns } from "../../../shared/report/compare.ts";
import { readRun } from "../../../shared/report/read-run.ts";
import { action, type CommandIo } from "../action.ts";
import { describePage, writePage } from "../page-file.ts";
import { table } from "../table.ts";

export function compareCommand(): Command {
  return new Command("compare")
    .description("lay runs over each other: curves, what their jobs differ in, whether the weights are the same bits")
    .argument("<dirs...>", "two run folders or more")
    .option("-o, --output <file>", "the page to write; without it, what differs is only printed")
    .addHelpText(
      "after",
      `
Examples:
  plume compare runs/two runs/four
  plume compare runs/fashion runs/fashion-lr -o compare.html
  plume compare runs/two runs/four --json

Exit codes: 0 compared (whether or not they are the same), 1 the page cannot be written, 2 no run's folder.`,
    )
    .action(compareAction);
}

const compareAction = action<{ readonly output?: string }>(async (io, { output }, ...args) => {
  const dirs = args.flat();
  if (dirs.length < 2)
    throw new PlumeError("INVALID_ARGUMENT", `one run, ${dirs[0]}, cannot be compared`, {
      remedy: "name another one, or use plume report",
    });
  await compare(io, dirs, output);
  return undefined;
});

async function compare(io: CommandIo, dirs: readonly string[], output: string | undefined): Promise<void> {
  const runs = [];
  for (const dir of dirs) runs.push(await readRun(dir));
  const comparison = compareRuns(runs);
  const { runs: names, verdict, differences } = comparison;
  const bytes = output === undefined ? null : writePage(output, comparePage(runs, comparison, Date.now()));
  io.result({ ...comparison, file: output ?? null, bytes });
  io.print(verdict);
  if (differences.length === 0) io.print("their jobs do not differ");
  else
    io.print(
      `\n${table([["field", ...names], ...differences.map(({ path, values }) => [path, ...values.map((each) => each || "not set")])])}`,
    );
  if (output !== undefined) io.print(`\n${describePage(output, bytes!)}`);
}
