// deploy/docs/read_checkpoint.py, the reader that the README shows, against plume's own.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readCheckpoint } from "../../shared/checkpoint/read.ts";
import { fileStore } from "../../shared/store/file.ts";
import { scratchFolder, tinyJob, train } from "../support/plume.ts";
import { python } from "../support/python.ts";

const READER = new URL("../../deploy/docs/read_checkpoint.py", import.meta.url).pathname;
const scratch = scratchFolder();
const run = scratch.file("run");
const checkpoints = `${run}/checkpoints`;

beforeAll(async () => {
  await train(tinyJob(scratch.path, "  checkpoint: { everySteps: 4 }"), run, "--set", "sampling.count=0");
});
afterAll(() => scratch[Symbol.dispose]());

/** What plume reads of a step, in the words of the script. */
async function plumes(step: number): Promise<string[]> {
  const { job, vectors } = await readCheckpoint(fileStore(checkpoints), step);
  const lines = [`${job.metadata.name} ${step}`];
  for (const [vector, tensors] of Object.entries(vectors))
    for (const [name, values] of tensors) {
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      lines.push(`${vector} ${name} ${createHash("sha256").update(bytes).digest("hex")}`);
    }
  return lines.sort();
}

/** The script's lines without the shapes, which readCheckpoint does not keep. */
const pythons = (): string[] =>
  python(READER, [checkpoints])
    .trim()
    .split("\n")
    .map((line) => line.replace(/ \[[\d, ]*\]/, ""))
    .sort();

function damage(step: number, of: string): void {
  const folder = `${checkpoints}/step-00000000${step}`;
  const file = `${folder}/${readdirSync(folder).find((name) => name.startsWith(of))}`;
  const bytes = readFileSync(file);
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(file, bytes);
}

describe("a reader that knows the README alone", () => {
  it("has the newest checkpoint's job, step and every tensor of every vector, to the bit", async () => {
    expect(pythons()).toEqual(await plumes(8));
  });

  it("passes over a checkpoint with a damaged part, and refuses a folder without a whole one", async () => {
    damage(8, "ema");
    expect(pythons()).toEqual(await plumes(4));
    damage(4, "manifest");
    expect(() => python(READER, [checkpoints])).toThrow(/has no whole checkpoint/);
  });
});
