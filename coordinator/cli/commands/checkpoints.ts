// plume checkpoints: what a store holds, whether it is whole, and its removal.

import { Command } from "commander";
import { locateCheckpoint } from "../../../shared/checkpoint/locate.ts";
import { MANIFEST, prefixOf } from "../../../shared/checkpoint/manifest.ts";
import { faultOf, listCheckpoints } from "../../../shared/checkpoint/read.ts";
import { removeCheckpoint } from "../../../shared/checkpoint/retention.ts";
import { PlumeError } from "../../../shared/errors.ts";
import { action, type CommandIo } from "../action.ts";
import { wholeNumber } from "../options.ts";
import { megabytes, table } from "../table.ts";
import { gcCommand } from "./checkpoints-gc.ts";

export function checkpointsCommand(): Command {
  const command = new Command("checkpoints").description("list, verify and remove checkpoints").addHelpText(
    "after",
    `
Examples:
  plume checkpoints ls runs/fashion
  plume checkpoints verify file://runs/fashion/checkpoints --step 500
  plume checkpoints rm runs/fashion 500`,
  );
  const store = "a run's folder, or a store: a folder or file://DIR";
  command.command("ls").description("what is there").argument("<store>", store).action(action(ls));
  command
    .command("verify")
    .description("read every byte and compare it with its manifest; exit 1 when one differs")
    .argument("<store>", store)
    .option("--step <n>", "only this checkpoint")
    .action(action(verify));
  command
    .command("rm")
    .description("remove one checkpoint")
    .argument("<store>", store)
    .argument("<step>", "its step")
    .action(action(rm));
  command.addCommand(gcCommand());
  return command;
}

async function ls(io: CommandIo, _options: object, where: string): Promise<undefined> {
  const { store } = await locateCheckpoint(where);
  const broken: { step: number; reason: string }[] = [];
  const found = await listCheckpoints(store, (step, reason) => broken.push({ step, reason }));
  const rows = found.map(({ step, manifest, bytes }) => [
    String(step),
    manifest.job,
    String(manifest.parts.length),
    megabytes(bytes),
    `plume ${manifest.plume}`,
  ]);
  io.print(
    found.length > 0
      ? table([["step", "job", "parts", "size", "written by"], ...rows])
      : `${store.url} holds no checkpoint`,
  );
  for (const { reason } of broken) io.note(reason);
  io.result({
    store: store.url,
    checkpoints: found.map(({ step, prefix, manifest, bytes }) => ({
      step,
      prefix,
      job: manifest.job,
      bytes,
      parts: manifest.parts.length,
    })),
    broken,
  });
  return undefined;
}

async function verify(io: CommandIo, options: { readonly step?: string }, where: string): Promise<number> {
  const { store, which } = await locateCheckpoint(where);
  const only = options.step !== undefined ? wholeNumber("--step", options.step) : which === "latest" ? null : which;
  const results: { step: number; ok: boolean; fault: string | null }[] = [];
  const report = (step: number, fault: string | null, size = "") => {
    results.push({ step, ok: fault === null, fault });
    io.print(`step ${step}: ${fault ?? `whole, ${size}`}`);
  };
  const found = await listCheckpoints(store, (step, fault) => {
    if (only === null || only === step) report(step, fault);
  });
  for (const checkpoint of found) {
    const { step, manifest, bytes } = checkpoint;
    if (only === null || only === step)
      report(step, await faultOf(store, checkpoint), `${manifest.parts.length} parts, ${megabytes(bytes)}`);
  }
  if (results.length === 0)
    throw new PlumeError("NOT_FOUND", `${store.url} has no checkpoint${only === null ? "" : ` of step ${only}`}`, {
      remedy: `plume checkpoints ls ${where} shows what it has`,
    });
  io.result({ store: store.url, checkpoints: results });
  return results.every(({ ok }) => ok) ? 0 : 1;
}

async function rm(io: CommandIo, _options: object, where: string, stepText: string): Promise<undefined> {
  const { store } = await locateCheckpoint(where);
  const step = wholeNumber("step", stepText);
  if (!(await store.head(prefixOf(step) + MANIFEST)))
    throw new PlumeError("NOT_FOUND", `${store.url} has no checkpoint of step ${step}`, {
      remedy: `plume checkpoints ls ${where} shows what it has`,
    });
  await removeCheckpoint(store, step);
  io.print(`step ${step} removed`);
  io.result({ store: store.url, removed: step });
  return undefined;
}
