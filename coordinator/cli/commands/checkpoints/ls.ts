// plume checkpoints ls: what a store has, from its list and manifests; parts are not read.

import { Command } from "commander";
import { readState, surveyStore } from "../../../../shared/checkpoint/verify.ts";
import { action, type CommandIo } from "../../action.ts";
import { duration } from "../../progress/words.ts";
import { megabytes, table } from "../../table.ts";
import { STORE, storeAndStep } from "./store.ts";

export function lsCommand(): Command {
  return new Command("ls")
    .description("what is there: step, epoch, job, parts, size, age, and whether the list shows it whole")
    .argument("<store>", STORE)
    .addHelpText(
      "after",
      `
Parts are not read: "whole" says that all are there in their sizes. plume checkpoints verify reads them.

Examples:
  plume checkpoints ls runs/fashion
  plume checkpoints ls s3://bucket/fashion --json`,
    )
    .action(action(ls));
}

async function ls(io: CommandIo, _options: object, where: string): Promise<undefined> {
  const { store } = await storeAndStep(where, undefined);
  const { checkpoints, broken, unfinished, orphans } = await surveyStore(store, io.signal);
  const nowMs = Date.now();
  const rows = await Promise.all(
    checkpoints.map(async (each) => {
      const { step, prefix, manifest, bytes, modifiedMs, faults } = each;
      const state = await readState(store, each);
      return {
        step,
        epoch: state?.epoch ?? null,
        job: manifest.job,
        prefix,
        parts: manifest.parts.length,
        bytes,
        modified: new Date(modifiedMs).toISOString(),
        ageSeconds: Math.max(0, Math.round((nowMs - modifiedMs) / 1000)),
        plume: manifest.plume,
        whole: faults.length === 0 && state !== null,
        faults: faults.map(({ reason }) => reason),
      };
    }),
  );
  const cells = rows.map((row) => [
    String(row.step),
    String(row.epoch ?? "?"),
    row.job,
    String(row.parts),
    megabytes(row.bytes),
    age(row.ageSeconds),
    `plume ${row.plume}`,
    row.whole ? "yes" : "NO",
  ]);
  io.print(
    rows.length > 0
      ? table([["step", "epoch", "job", "parts", "size", "age", "written by", "whole"], ...cells])
      : `${store.url} holds no checkpoint`,
  );
  for (const { reason } of [...checkpoints.flatMap(({ faults }) => faults), ...broken]) io.note(reason);
  if (unfinished.length > 0) io.note(`without a manifest, so not finished or under way: step ${unfinished.join(", ")}`);
  io.result({ store: store.url, checkpoints: rows, broken, unfinished, orphans: orphans.length });
  return undefined;
}

const DAY = 86_400;
const age = (seconds: number): string =>
  seconds < 1 ? "now" : seconds >= 2 * DAY ? `${Math.floor(seconds / DAY)}d` : duration(seconds);
