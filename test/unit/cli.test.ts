import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { writeCheckpoint } from "../../shared/checkpoint/write.ts";
import { parseJob } from "../../shared/config/load.ts";
import { ERROR_CODES } from "../../shared/errors.ts";
import { fileStore } from "../../shared/store/file.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";
import { checkpointFile, plume, scratchFolder } from "../support/plume.ts";

const job = parseJob("metadata: { name: tiny }\nspec: { data: { source: 'shapes:100' } }");
const layout = buildLayout([{ name: "w", shape: [100], init: { kind: "zeros" } }]);
const set = { name: "shapes:100", size: 100, digest: "d", height: 8, width: 8, channels: 1, classes: [] };

/** A store with checkpoints of these steps. */
async function writeSteps(folder: string, ...steps: number[]): Promise<void> {
  for (const step of steps) {
    const vectors = { params: () => new Float32Array(layout.size).fill(step) };
    await writeCheckpoint(fileStore(folder), { job, layout, step, set, vectors });
  }
}

function flipLastByte(file: string): void {
  const bytes = readFileSync(file);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(file, bytes);
}

describe("plume checkpoints", () => {
  it("ls shows every checkpoint, as a table and as JSON", async () => {
    using scratch = scratchFolder();
    await writeSteps(scratch.path, 5, 10);
    const table = await plume("checkpoints", "ls", scratch.path);
    expect(table.code).toBe(0);
    expect(table.stdout.trim().split("\n")).toHaveLength(3);
    expect(table.stdout).toMatch(/^10 +6 +tiny +3 /m);
    const { stdout } = await plume("checkpoints", "ls", `file://${scratch.path}`, "--json");
    const { checkpoints, broken } = JSON.parse(stdout);
    expect(checkpoints.map((each: { step: number }) => each.step)).toEqual([5, 10]);
    expect(checkpoints[0]).toMatchObject({ job: "tiny", parts: 3, prefix: "step-000000005/" });
    expect(broken).toEqual([]);
  });

  it("verify exits 0 on whole checkpoints and 1 on a torn one, naming the file", async () => {
    using scratch = scratchFolder();
    await writeSteps(scratch.path, 5, 10, 15);
    expect((await plume("checkpoints", "verify", scratch.path)).code).toBe(0);
    flipLastByte(checkpointFile(scratch.file("step-000000010"), "params-00000-of-00001.safetensors"));
    writeFileSync(scratch.file("step-000000015/manifest.json"), "{");
    const { code, stdout } = await plume("checkpoints", "verify", scratch.path);
    expect(code).toBe(1);
    expect(stdout).toContain("step 5: whole");
    expect(stdout).toMatch(/step 10: .*params-00000-of-00001-[0-9a-f]{12}\.safetensors has sha256/);
    expect(stdout).toMatch(/step 15: .*manifest\.json is no JSON/);
    const one = await plume("checkpoints", "verify", scratch.path, "--step", "5", "--json");
    expect(one.code).toBe(0);
    expect(JSON.parse(one.stdout).checkpoints).toEqual([{ step: 5, ok: true, fault: null, faults: [] }]);
    expect((await plume("checkpoints", "verify", scratch.path, "--step", "15")).code).toBe(1);
  });

  it("rm removes one checkpoint and its folder, and says which steps there are when it is not there", async () => {
    using scratch = scratchFolder();
    await writeSteps(scratch.path, 5, 10);
    expect((await plume("checkpoints", "rm", scratch.path, "5")).code).toBe(0);
    expect(readdirSync(scratch.path)).toEqual(["step-000000010"]);
    const again = await plume("checkpoints", "rm", scratch.path, "5");
    expect(again.code).toBe(2);
    expect(again.stderr).toContain("no checkpoint of step 5");
    expect(again.stderr).toContain("plume checkpoints ls");
  });

  it("exits 2 where there is no store, saying what was looked for", async () => {
    using scratch = scratchFolder();
    const { code, stderr } = await plume("checkpoints", "ls", scratch.file("nothing"));
    expect(code).toBe(2);
    expect(stderr).toContain("there is no such folder");
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});

describe("plume doctor", () => {
  it("finds this machine fit to train, and has a remedy for whatever is missing", async () => {
    const { code, stdout } = await plume("doctor", "--json");
    expect(code).toBe(0);
    const { findings } = JSON.parse(stdout) as {
      findings: { what: string; state: string; detail: string; remedy: string | null }[];
    };
    expect(findings.map(({ what }) => what)).toEqual(
      expect.arrayContaining([
        "Node",
        "machine",
        "run folder",
        "shared memory",
        "ports",
        "backend wasm",
        "Fashion-MNIST",
      ]),
    );
    for (const { what, state, detail, remedy } of findings) {
      expect(["ok", "missing"], what).toContain(state);
      expect(detail, what).not.toBe("");
      if (state !== "ok") expect(remedy, what).toBeTruthy();
    }
  });
});

describe("the README's tables", () => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, ["--import", "tsx", "coordinator/cli/reference-tables.ts", ...args], {
      encoding: "utf8",
    });
  const markers = (name: string) => `<!-- generated:${name} -->\n<!-- /generated -->`;

  it("are written between their markers, and checked against the code", () => {
    using scratch = scratchFolder();
    const readme = scratch.file("README.md");
    writeFileSync(
      readme,
      `# before\n\n${markers("job")}\n\nbetween\n\n${markers("metrics")}\n\n${markers("errors")}\n\nafter\n`,
    );
    expect(run("--check", "--readme", readme).status).toBe(1);
    expect(run("--write", "--readme", readme).status).toBe(0);
    expect(run("--check", "--readme", readme).status).toBe(0);
    const written = readFileSync(readme, "utf8");
    expect(written).toMatch(/^# before\n[\s\S]*\nbetween\n[\s\S]*\nafter\n$/);
    expect(written).toContain(
      "| `training.microBatch` | integer | `16` | samples a micro-batch; must divide globalBatch |",
    );
    for (const [code, { exit }] of Object.entries(ERROR_CODES)) expect(written).toContain(`| \`${code}\` | ${exit} |`);
    writeFileSync(readme, written.replace("| `16` |", "| `17` |"));
    const stale = run("--check", "--readme", readme);
    expect(stale.status).toBe(1);
    expect(stale.stderr).toContain("npm run gen:readme");
  });

  it("miss a file or a marker with a clear word", () => {
    using scratch = scratchFolder();
    const missing = run("--check", "--readme", scratch.file("README.md"));
    expect(missing.status).toBe(2);
    expect(missing.stderr).toContain("README.md does not exist");
    writeFileSync(scratch.file("README.md"), `# plume\n${markers("job")}\n`);
    const unmarked = run("--write", "--readme", scratch.file("README.md"));
    expect(unmarked.status).toBe(2);
    expect(unmarked.stderr).toContain("<!-- generated:metrics -->");
    expect(readFileSync(scratch.file("README.md"), "utf8")).toBe(`# plume\n${markers("job")}\n`);
  });
});
