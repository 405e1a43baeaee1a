// plume checkpoints verify: every byte of what the manifests name is read and compared.

import { Command } from "commander";
import { faultsOf } from "../../../../shared/checkpoint/faults.ts";
import { objectsOf } from "../../../../shared/checkpoint/objects.ts";
import { surveyStore } from "../../../../shared/checkpoint/verify.ts";
import { action, type CommandIo } from "../../action.ts";
import { createByteProgress } from "../../byte-progress.ts";
import { megabytes } from "../../table.ts";
import { noCheckpoint, STEP_OPTION, STORE, storeAndStep } from "./store.ts";

export function verifyCommand(): Command {
  return new Command("verify")
    .description("read every byte and compare it with its manifest; exit 1 and name each file that differs")
    .argument("<store>", STORE)
    .option(...STEP_OPTION)
    .addHelpText(
      "after",
      `
Objects that no manifest names are mentioned: they belong to no checkpoint, or to one that is being written.

Examples:
  plume checkpoints verify runs/fashion
  plume checkpoints verify s3://bucket/fashion --step 500`,
    )
    .action(action(verify));
}

async function verify(io: CommandIo, options: { readonly step?: string }, where: string): Promise<number> {
  const { store, only } = await storeAndStep(where, options.step);
  const survey = await surveyStore(store, io.signal);
  const meant = <T extends { readonly step: number }>(all: readonly T[]) =>
    all.filter(({ step }) => only === null || step === only);
  const checkpoints = meant(survey.checkpoints);
  const broken = meant(survey.broken);
  if (checkpoints.length + broken.length === 0) throw noCheckpoint(store, only, where);

  const objects = checkpoints.map(({ manifest }) => objectsOf(manifest));
  const total = objects.flat().reduce((sum, { size }) => sum + size, 0);
  const progress = createByteProgress(process.stderr, "verified", total, () => performance.now());
  const results: { step: number; ok: boolean; fault: string | null; faults: string[] }[] = [];
  for (const { step, reason } of broken) results.push({ step, ok: false, fault: reason, faults: [reason] });
  try {
    for (const [i, { step, manifest, bytes }] of checkpoints.entries()) {
      const found = await faultsOf(store, objects[i]!, { signal: io.signal, onRead: progress.add });
      const faults = found.map(({ reason }) => reason);
      results.push({ step, ok: faults.length === 0, fault: faults[0] ?? null, faults });
      progress.clear();
      if (faults.length === 0) io.print(`step ${step}: whole, ${manifest.parts.length} parts, ${megabytes(bytes)}`);
      else for (const fault of faults) io.print(`step ${step}: ${fault}`);
    }
  } finally {
    progress.clear();
  }
  for (const { step, reason } of broken) io.print(`step ${step}: ${reason}`);
  const { unfinished, orphans } = survey;
  if (only === null) mention(io, unfinished, orphans);
  const { seconds, gigabytesPerSecond } = progress.done();
  io.print(`${megabytes(total)} read in ${seconds.toFixed(2)} s, ${gigabytesPerSecond.toFixed(2)} GB/s`);
  io.result({
    store: store.url,
    checkpoints: results.sort((a, b) => a.step - b.step),
    unfinished,
    orphans: orphans.map(({ key, size }) => ({ key, bytes: size })),
    bytes: total,
    seconds,
    gigabytesPerSecond,
  });
  return results.every(({ ok }) => ok) ? 0 : 1;
}

function mention(io: CommandIo, unfinished: readonly number[], orphans: readonly { readonly size: number }[]): void {
  for (const step of unfinished) io.print(`step ${step}: no manifest, so no checkpoint: not finished, or under way`);
  const bytes = orphans.reduce((sum, { size }) => sum + size, 0);
  if (orphans.length > 0) io.print(`${orphans.length} objects (${megabytes(bytes)}) are named by no manifest`);
}
