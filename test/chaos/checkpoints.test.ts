// Checkpoints under fire: the coordinator is killed at every phase of a save, parts are damaged and lost. After each the
// newest whole checkpoint loads, and the run ends with the bits of a calm one.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, inject, it } from "vitest";
import { listFolders } from "../../shared/checkpoint/list.ts";
import { listCheckpoints, readCheckpoint } from "../../shared/checkpoint/read.ts";
import { fileStore } from "../../shared/store/file.ts";
import type { ObjectStore } from "../../shared/store/object-store.ts";
import { readSummary } from "../../shared/summary.ts";
import { checkpointFile, plume, train } from "../support/plume.ts";
import { freePort } from "../support/processes.ts";
import type { Life } from "./dying-coordinator.ts";
import { type ChaosJob, calmRun, chaosJob, STEPS } from "./harness.ts";
import { SAVE_PHASES } from "./save-phases.ts";

/** Saved often, and only the newest is kept, so that every save passes every phase; no snapshots. */
function savingJob(steps: number) {
  const job = chaosJob({ steps });
  const yaml = readFileSync(job.file, "utf8");
  const saving = yaml.replace(/checkpoint: .*/, "checkpoint: { everySteps: 8, keep: 1, snapshotSeconds: 0 }");
  // The command line resolves the backend of a run; here nobody does.
  writeFileSync(job.file, saving.replace("workers: {", "workers: { backend: wasm,"));
  return job;
}

const start = (name: string, ...args: string[]) =>
  spawn(process.execPath, [join(inject("chaosBundle"), `${name}.mjs`), ...args], {
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });

/** Lives of a coordinator on the run's folder, one after the other; while one lives the next is loaded already. */
function livesOf(job: ChaosJob, out: string, listen: string) {
  const stand = () => start("dying-coordinator", "--job", job.file, "--out", out, "--listen", listen);
  let next = stand();
  return {
    /** @returns how it ended, and the phases that it told. */
    async live(how: Life) {
      const child = next;
      child.send(how);
      next = stand();
      let told = "";
      child.stdout!.on("data", (chunk: Buffer) => {
        told += chunk;
      });
      const [code, signal] = (await once(child, "close")) as [number | null, string | null];
      return { code, signal, told: told.split("\n").filter(Boolean) };
    },
    [Symbol.dispose]: () => void next.kill("SIGKILL"),
  };
}

/** Objects that no manifest of the store names. */
async function orphansIn(store: ObjectStore): Promise<string[]> {
  const named = new Set<string>();
  for (const { prefix, manifest } of await listCheckpoints(store)) {
    named.add(`${prefix}manifest.json`);
    for (const { key } of manifest.parts) named.add(prefix + key);
    for (const { key } of manifest.ledger) named.add(key);
  }
  const all: string[] = [];
  for await (const { key } of store.list("")) all.push(key);
  return all.filter((key) => !named.has(key));
}

describe("a coordinator that is killed while it saves", () => {
  it("27: at every phase of a save: the newest whole checkpoint loads, the run ends as if nothing had been, and gc leaves no orphan", async () => {
    using job = savingJob(STEPS);
    const clean = await calmRun(job);
    const out = join(job.folder, "run");
    const store = fileStore(join(out, "checkpoints"));
    const listen = `127.0.0.1:${await freePort()}`;
    using lives = livesOf(job, out, listen);
    const worker = start("worker", "--coordinator", listen, "--id", "worker-0", "--log-file", join(job.folder, "log"));
    try {
      let newest = 0;
      for (const [life, die] of SAVE_PHASES.entries()) {
        const end = await lives.live({ die, recovering: life > 0 });
        expect(end, die).toMatchObject({ signal: "SIGKILL" });
        const steps = (await listFolders(store)).filter(({ manifest }) => manifest).map(({ step }) => step);
        if (steps.length === 0) continue;
        const { state } = await readCheckpoint(store, "latest");
        expect(state.step, die).toBe(steps.at(-1));
        expect(state.step, die).toBeGreaterThanOrEqual(newest);
        newest = state.step;
      }
      expect(newest).toBeGreaterThan(0);
      const last = await lives.live({ recovering: true });
      expect(last.code).toBe(0);
      // What a whole run passes is what the walk has walked: a new phase cannot be forgotten.
      expect([...new Set(last.told)].sort()).toEqual([...SAVE_PHASES].sort());
    } finally {
      worker.kill("SIGKILL");
    }
    expect(readSummary(join(out, "summary.json"))).toMatchObject({
      weightsSha256: clean.weightsSha256,
      emaSha256: clean.emaSha256,
      reproducible: true,
      checkpoint: STEPS,
      incarnation: SAVE_PHASES.length + 1,
    });
    expect((await plume("audit", out)).code).toBe(0);
    expect((await plume("checkpoints", "gc", out, "--older-than", "0")).code).toBe(0);
    expect(await orphansIn(store)).toEqual([]);
    expect((await plume("checkpoints", "verify", out)).code).toBe(0);
  });
});

describe("a checkpoint that is not whole", () => {
  it("28: with one byte flipped, or a shard dropped, is refused by name and counted; the one before is used", async () => {
    using job = savingJob(40);
    writeFileSync(job.file, readFileSync(job.file, "utf8").replace("keep: 1", "keep: 3"));
    const clean = await calmRun(job);
    const out = join(job.folder, "run");
    await train(job.file, out);
    const folder = (step: number) => join(out, "checkpoints", `step-${String(step).padStart(9, "0")}`);
    const flipped = checkpointFile(folder(40), "ema-00000-of-00001.safetensors");
    const bytes = readFileSync(flipped);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(flipped, bytes);
    const dropped = checkpointFile(folder(32), "moments.v-00000-of-00001.safetensors");
    rmSync(dropped);
    const exact = await plume("train", "-f", job.file, "--out", out, "--resume", "40");
    expect(exact.code).toBe(1);
    expect(exact.stderr).toContain(flipped);
    const { code, stderr } = await plume("train", "-f", job.file, "--out", out);
    expect(code, stderr).toBe(0);
    const { weightsSha256 } = clean;
    expect(readSummary(join(out, "summary.json"))).toMatchObject({
      firstStep: 24,
      checkpointsPassedOver: 2,
      weightsSha256,
    });
    expect(stderr).toContain(`the checkpoint of step 40 is not whole and was passed over: file://`);
    for (const file of [flipped, dropped]) expect(stderr).toContain(file);
    expect((await plume("checkpoints", "verify", out)).code).toBe(0); // they are written anew
  });
});
