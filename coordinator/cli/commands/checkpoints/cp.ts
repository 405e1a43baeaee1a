// plume checkpoints cp: checkpoints from one store to another, verified on the way.

import { Command } from "commander";
import { copyCheckpoint } from "../../../../shared/checkpoint/copy.ts";
import { locateStore } from "../../../../shared/checkpoint/locate.ts";
import { type ListedCheckpoint, listCheckpoints } from "../../../../shared/checkpoint/read.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import { action, type CommandIo } from "../../action.ts";
import { createByteProgress } from "../../byte-progress.ts";
import { megabytes } from "../../table.ts";
import { chosen, STORE, storeAndStep } from "./store.ts";

interface CpOptions {
  readonly step?: string;
  readonly all?: boolean;
}

export function cpCommand(): Command {
  return new Command("cp")
    .description("copy checkpoints to another store: the newest one, one step, or all")
    .argument("<from>", STORE)
    .argument("<to>", "a run's folder, or a store: a folder (made if it is not there) or a URL")
    .option("--step <n>", "this checkpoint instead of the newest")
    .option("--all", "every checkpoint")
    .addHelpText(
      "after",
      `
Every part is verified on the way and the manifest is put last: a copy that was interrupted does not exist. The same command
again finishes or repairs it; another checkpoint of that step is never overwritten.

Examples:
  plume checkpoints cp runs/fashion s3://bucket/fashion --all
  plume checkpoints cp s3://bucket/fashion runs/fashion --step 1400`,
    )
    .action(action(cp));
}

async function cp(io: CommandIo, options: CpOptions, source: string, target: string): Promise<undefined> {
  if (options.all && options.step !== undefined)
    throw new PlumeError("INVALID_ARGUMENT", `--all and --step ${options.step} exclude each other`, {
      remedy: "give one of them, or none for the newest checkpoint",
    });
  const { store: from, only } = await storeAndStep(source, options.step);
  const to = await locateStore(target);
  const listed = chosen(await listCheckpoints(from), only, { store: from, argument: source });
  const wanted: readonly ListedCheckpoint[] = options.all || only !== null ? listed : listed.slice(-1);

  const total = wanted.reduce((sum, { bytes }) => sum + bytes, 0);
  const progress = createByteProgress(process.stderr, "copied", total, () => performance.now());
  const copied: { step: number; outcome: string; objects: number; bytes: number }[] = [];
  try {
    for (const checkpoint of wanted) {
      const { step } = checkpoint;
      const { kind, ...sizes } = await copyCheckpoint(from, to, checkpoint, {
        signal: io.signal,
        onRead: progress.add,
      });
      copied.push({ step, outcome: kind, ...sizes });
      progress.clear();
      const did = kind === "there" ? "is there already, whole" : `${kind}, ${megabytes(sizes.bytes)}`;
      io.print(`step ${step}: ${did}`);
    }
  } finally {
    progress.clear();
  }
  io.result({ from: from.url, to: to.url, checkpoints: copied, ...progress.done() });
  return undefined;
}
