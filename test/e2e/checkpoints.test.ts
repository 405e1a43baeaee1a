// plume checkpoints as a user has it: exit codes, what is named, what is refused.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { plume, scratchFolder, tinyJob, train } from "../support/plume.ts";

const scratch = scratchFolder();
const run = scratch.file("run");
const copy = scratch.file("copy");

beforeAll(async () => {
  await train(tinyJob(scratch.path, "  checkpoint: { everySteps: 4 }"), run, "--set", "sampling.count=0");
});
afterAll(() => scratch[Symbol.dispose]());

const json = async (...args: string[]) => {
  const { code, stdout } = await plume("checkpoints", ...args, "--json");
  return { code, ...(JSON.parse(stdout) as { checkpoints?: unknown[] }) };
};

const filesOf = (step: number, of: string): string[] =>
  readdirSync(join(copy, `step-00000000${step}`)).filter((name) => name.startsWith(of));

function damage(step: number, name: string): string {
  const file = join(copy, `step-00000000${step}`, name);
  const bytes = readFileSync(file);
  bytes[bytes.length - 9]! ^= 1;
  writeFileSync(file, bytes);
  return name;
}

describe("plume checkpoints", () => {
  it("ls says step, epoch, age and wholeness", async () => {
    const { code, checkpoints } = await json("ls", run);
    expect(code).toBe(0);
    expect(checkpoints).toEqual([
      expect.objectContaining({ step: 4, epoch: 0, job: "tiny", whole: true, faults: [], plume: expect.any(String) }),
      expect.objectContaining({ step: 8, ageSeconds: expect.any(Number), modified: expect.stringMatching(/^20/) }),
    ]);
    expect((await plume("checkpoints", "ls", run)).stdout).toMatch(
      /^step +epoch +job +parts +size +age +written by +whole\n4 /,
    );
  });

  it("cp makes copies that are whole and read alike; again it finds them there", async () => {
    expect(await json("cp", run, copy)).toMatchObject({ code: 0, checkpoints: [{ step: 8, outcome: "copied" }] });
    expect(await json("cp", run, `file://${copy}`, "--all")).toMatchObject({
      code: 0,
      checkpoints: [
        { step: 4, outcome: "copied" },
        { step: 8, outcome: "there", bytes: 0 },
      ],
    });
    expect(await json("verify", copy)).toMatchObject({
      code: 0,
      checkpoints: [{ ok: true }, { ok: true }],
      orphans: [],
    });
  });

  it("verify names every bad file and ends with 1; cp repairs", async () => {
    const bad = [damage(4, filesOf(4, "ema")[0]!), damage(4, filesOf(4, "params")[0]!)];
    const { code, stdout } = await plume("checkpoints", "verify", copy);
    expect(code).toBe(1);
    for (const name of bad) expect(stdout).toContain(name);
    expect(stdout).toMatch(/step 8: whole/);
    expect(stdout).toMatch(/GB\/s\n$/);
    expect((await plume("checkpoints", "verify", copy, "--step", "8")).code).toBe(0);
    expect(await json("cp", run, copy, "--step", "4")).toMatchObject({
      checkpoints: [{ outcome: "repaired", objects: 2 }],
    });
    expect((await json("verify", copy)).code).toBe(0);
  });

  it("rm keeps the last whole one, whatever else is listed, but for --force", async () => {
    damage(4, filesOf(4, "moments.m")[0]!);
    const refused = await plume("checkpoints", "rm", copy, "8");
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("step 8 is the last whole checkpoint") });
    expect(await json("rm", copy, "4")).toMatchObject({ code: 0, removed: 4 });
    expect((await plume("checkpoints", "rm", copy, "4")).code).toBe(2);
    expect(await json("rm", copy, "8", "--force")).toMatchObject({ code: 0, removed: 8 });
    expect((await json("ls", run)).checkpoints).toHaveLength(2);
  });

  it.each(["ls", "verify", "cp", "rm", "export", "import"])(
    "%s --help has examples, and a mistake ends with 2",
    async (name) => {
      const { code, stdout } = await plume("checkpoints", name, "--help");
      expect(code).toBe(0);
      expect(stdout).toMatch(/Examples?:\n {2}plume checkpoints /);
      expect((await plume("checkpoints", name)).code).toBe(2);
    },
  );
});
