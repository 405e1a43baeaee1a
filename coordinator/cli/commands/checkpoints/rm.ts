// plume checkpoints rm: one checkpoint goes; the last whole one only by force.

import { Command } from "commander";
import { faultsOf } from "../../../../shared/checkpoint/faults.ts";
import { MANIFEST, prefixOf } from "../../../../shared/checkpoint/manifest.ts";
import { objectsOf } from "../../../../shared/checkpoint/objects.ts";
import { type ListedCheckpoint, listCheckpoints } from "../../../../shared/checkpoint/read.ts";
import { removeCheckpoint } from "../../../../shared/checkpoint/retention.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import type { ObjectStore } from "../../../../shared/store/object-store.ts";
import { action, type CommandIo } from "../../action.ts";
import { wholeNumber } from "../../options.ts";
import { noCheckpoint, STORE, storeAndStep } from "./store.ts";

interface RmOptions {
  readonly force?: boolean;
}

export function rmCommand(): Command {
  return new Command("rm")
    .description("remove one checkpoint")
    .argument("<store>", STORE)
    .argument("<step>", "its step")
    .option("--force", "also the last one that is whole")
    .addHelpText(
      "after",
      `
Without --force another checkpoint is read first, to be sure that a whole one is left.

Examples:
  plume checkpoints rm runs/fashion 500
  plume checkpoints rm file://runs/fashion/checkpoints 500 --force`,
    )
    .action(action(rm));
}

async function rm(io: CommandIo, { force = false }: RmOptions, where: string, stepText: string): Promise<undefined> {
  const step = wholeNumber("step", stepText);
  const { store } = await storeAndStep(where, undefined);
  if (!(await store.head(prefixOf(step) + MANIFEST, io.signal))) throw noCheckpoint(store, step, where);
  if (!force && (await isLastWhole(store, step, io.signal)))
    throw new PlumeError("FAILED_PRECONDITION", `step ${step} is the last whole checkpoint of ${store.url}`, {
      remedy: "copy it elsewhere first (plume checkpoints cp), or remove it with --force",
    });
  await removeCheckpoint(store, step);
  io.print(`step ${step} removed`);
  io.result({ store: store.url, removed: step });
  return undefined;
}

/** It is whole, and no other one is. The others are read newest first, until one is. */
async function isLastWhole(store: ObjectStore, step: number, signal: AbortSignal): Promise<boolean> {
  const all = await listCheckpoints(store);
  const isWhole = async ({ manifest }: ListedCheckpoint) =>
    (await faultsOf(store, objectsOf(manifest), { signal })).length === 0;
  for (const other of all.toReversed()) if (other.step !== step && (await isWhole(other))) return false;
  const own = all.find((each) => each.step === step);
  return own !== undefined && isWhole(own);
}
