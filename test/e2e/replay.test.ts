// plume audit --replay computes any committed step again: from the nearest checkpoint or snapshot, or from the seed.

import { cpSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LedgerLine } from "../../shared/ledger/line.ts";
import { checkpointFile, linesOf, plume, scratchFolder, tinyJob, train } from "../support/plume.ts";

const scratch = scratchFolder();
const run = scratch.file("run");

beforeAll(async () => {
  const set = settings("checkpoint.everySteps=5", "sampling.count=0");
  await train(tinyJob(scratch.path), run, "--steps", "12", ...set);
});
afterAll(() => scratch[Symbol.dispose]());

const settings = (...all: string[]): string[] => all.flatMap((setting) => ["--set", setting]);
const ledgerOf = (folder: string) =>
  linesOf(`${folder}/ledger.ndjson`).map((line): LedgerLine => JSON.parse(line) as LedgerLine);

/** A copy of the run, to be changed. */
function copyOf(name: string): string {
  const folder = scratch.file(name);
  cpSync(run, folder, { recursive: true });
  return folder;
}

describe("plume audit --replay", () => {
  it.each([
    [0, "the fresh parameters of seed 0"],
    [3, "the fresh parameters of seed 0 (3 steps replayed on the way, all the same)"],
    [5, "the checkpoint of step 5"],
    [8, "the checkpoint of step 5 (3 steps replayed on the way, all the same)"],
    [11, "the checkpoint of step 10 (1 step replayed on the way, the same)"],
  ])("computes step %i again from %s", async (step, start) => {
    const { gradDigest } = ledgerOf(run)[step]!;
    const { code, stdout, stderr } = await plume("audit", run, "--replay", `${step}`);
    expect(stdout).toContain(
      `replay       step ${step} computed again from ${start}: the same gradient, digest ${gradDigest}\n`,
    );
    expect(stderr).toContain(`step ${step}: the same digest`);
    expect(code).toBe(0);
  });

  it("says in JSON where it started", async () => {
    const { code, stdout } = await plume("audit", run, "--replay", "8", "--json");
    expect(JSON.parse(stdout)).toMatchObject({
      ok: true,
      replay: { ok: true, step: 8, from: 5, replayed: 3, differs: null },
    });
    expect(code).toBe(0);
  });

  it("exits 2 for a step beyond the end, and says which steps there are", async () => {
    const { code, stdout } = await plume("audit", run, "--replay", "12", "--json");
    expect(JSON.parse(stdout)).toMatchObject({
      error: {
        code: "NOT_FOUND",
        message: "step 12 cannot be computed again: the ledger has no line of it",
        remedy: "name a step from 0 to 11",
      },
    });
    expect(code).toBe(2);
  });

  it("stops at the first step that differs from the ledger, names it and exits 1", async () => {
    const folder = copyOf("changed");
    const lines = ledgerOf(folder).map((line) =>
      line.step === 6 ? { ...line, gradDigest: "00ff00ff00ff00ff" } : line,
    );
    writeFileSync(`${folder}/ledger.ndjson`, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    const { code, stdout, stderr } = await plume("audit", folder, "--replay", "8");
    expect(stdout).toContain(
      "step 6 computed again from the checkpoint of step 5 (1 step replayed on the way, the same) differs",
    );
    expect(stdout).toContain(`before step 8 was reached: its gradient has digest ${ledgerOf(run)[6]!.gradDigest}`);
    expect(stdout).toContain("the ledger says 00ff00ff00ff00ff");
    expect(stderr).not.toContain("step 7");
    expect(code).toBe(1);
  });

  it("starts from a nearer snapshot, and passes over one that is not whole", async () => {
    const folder = copyOf("snapshots");
    const snapshot = `${folder}/snapshots/step-000000010`;
    mkdirSync(`${folder}/snapshots`, { recursive: true });
    renameSync(`${folder}/checkpoints/step-000000010`, snapshot);
    const whole = await plume("audit", folder, "--replay", "11");
    expect(whole.stdout).toContain("from the snapshot of step 10 (1 step replayed on the way, the same): the same");
    expect(whole.code).toBe(0);

    const part = checkpointFile(snapshot, "ema-00000-of-00001.safetensors");
    writeFileSync(part, readFileSync(part).subarray(1));
    const torn = await plume("audit", folder, "--replay", "11");
    expect(torn.stderr).toContain("the snapshot of step 10 was passed over");
    expect(torn.stdout).toContain("from the checkpoint of step 5 (6 steps replayed on the way, all the same)");
    expect(torn.code).toBe(0);
  });

  it("replays every step at the learning rate that it had, also of a run that was resumed with more steps", async () => {
    const folder = scratch.file("resumed");
    const set = settings("training.schedule=cosine", "sampling.count=0");
    await train(tinyJob(scratch.path), folder, "--steps", "4", ...set);
    await train(tinyJob(scratch.path), folder, "--steps", "6", ...set);
    renameSync(`${folder}/checkpoints`, `${folder}/gone`);
    const { code, stdout } = await plume("audit", folder, "--replay", "5");
    expect(stdout).toContain("from the fresh parameters of seed 0 (5 steps replayed on the way, all the same)");
    expect(code).toBe(0);
  });

  it("replays skipped steps as skipped", async () => {
    const folder = scratch.file("skipped");
    const set = settings("training.optimizer.lr=1e30", "training.nonFinite=skip", "sampling.count=0");
    await train(tinyJob(scratch.path), folder, "--steps", "4", ...set);
    expect(ledgerOf(folder).map(({ skipped }) => skipped ?? false)).toEqual([false, true, true, true]);
    const { code, stdout } = await plume("audit", folder, "--replay", "3");
    expect(stdout).toContain("from the fresh parameters of seed 0 (3 steps replayed on the way, all the same)");
    expect(code).toBe(0);
  });
});
