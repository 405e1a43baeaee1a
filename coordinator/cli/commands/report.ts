// plume report: a run's folder as one page that can be kept, mailed and read without a network.

import { Command } from "commander";
import { readRun } from "../../../shared/report/read-run.ts";
import { reportPage } from "../../../shared/report/report.ts";
import { action, type CommandIo } from "../action.ts";
import { defaultPage, describePage, writePage } from "../page-file.ts";

export function reportCommand(): Command {
  return new Command("report")
    .description("write a run as one HTML page: curves, workers, recoveries, samples, proof, job")
    .argument("<dir>", "the run's folder, for example runs/fashion")
    .option("-o, --output <file>", "the page to write (default: <dir>/report.html)")
    .addHelpText(
      "after",
      `
Runs that go on, were stopped, failed or were killed have one too; what is missing in the folder is named on the page.

Examples:
  plume report runs/fashion
  plume report runs/fashion -o fashion.html
  plume report runs/fashion --json

Exit codes: 0 written, 1 the page cannot be written, 2 no run's folder.`,
    )
    .action(
      action<{ readonly output?: string }>((io, { output }, dir) => report(io, dir!, output ?? defaultPage(dir!))),
    );
}

async function report(io: CommandIo, dir: string, output: string): Promise<undefined> {
  const run = await readRun(dir);
  const bytes = writePage(output, reportPage(run, Date.now()));
  const { name, outcome, reason, steps, events, pictures, audit, faults } = run;
  const counts = { steps: steps.length, events: events.length, samples: pictures.length };
  io.result({ file: output, bytes, job: name, outcome, reason, ...counts, exactlyOnce: audit?.ok ?? null, faults });
  for (const fault of faults) io.note(`  ${fault}`);
  io.print(`${name}, ${outcome}: ${describePage(output, bytes)}`);
}
