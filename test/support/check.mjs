// npm run check: everything that needs no running program. Prints one line a check, all of a failed one's output.
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const bin = (name) => join(root, "node_modules/.bin", name);
const failed = [];

function check(title, command, args, options = {}) {
  const started = performance.now();
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 << 20,
    ...options,
  });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${status === 0 ? "ok  " : "FAIL"} ${title} (${seconds} s)`);
  if (status !== 0) {
    failed.push(title);
    console.log(`${stdout ?? ""}${stderr ?? ""}`.trim());
  }
}

check("format and lint", bin("biome"), ["ci", "--max-diagnostics=50", "."]);
check("nothing is exported for nobody", bin("knip"), ["--no-progress"]);
check("types", bin("tsc"), ["--noEmit", "-p", "."]);
check("types of the page", bin("tsc"), ["--noEmit", "-p", "coordinator/ui"]);
check("proto lint", bin("buf"), ["lint"], { cwd: join(root, "proto") });
const base = spawnSync("git", ["rev-parse", "--verify", "-q", "origin/main"], {
  cwd: root,
  encoding: "utf8",
}).stdout.trim();
if (base && spawnSync("git", ["cat-file", "-e", `${base}:proto/buf.yaml`], { cwd: root }).status === 0)
  check("proto compatible with origin/main", bin("buf"), [
    "breaking",
    "proto",
    "--against",
    `.git#ref=${base},subdir=proto`,
  ]);
else console.log("--   proto compatible with origin/main: nothing to compare with");
generatedProtoIsFresh();
check("kernels are fresh", process.execPath, ["shared/kernels/build.mjs", "--check"]);
check("reference tables are fresh", process.execPath, [
  "--import",
  "tsx",
  "coordinator/cli/reference-tables.ts",
  "--check",
]);
check("dashboards are fresh", process.execPath, ["--import", "tsx", "deploy/grafana/dashboards.ts", "--check"]);
check("rules and dashboards of k8s are fresh", process.execPath, [
  "--import",
  "tsx",
  "k8s/components/generate.ts",
  "--check",
]);
check("the CRD is fresh", process.execPath, ["--import", "tsx", "k8s/crd/generate.ts", "--check"]);
check("rooms import only what they may", process.execPath, ["--import", "tsx", "test/support/rooms.ts"]);

if (failed.length > 0) {
  console.log(`check: ${failed.length} failed: ${failed.join(", ")}`);
  process.exit(1);
}
console.log("check: all passed");

function generatedProtoIsFresh() {
  const scratch = mkdtempSync(join(tmpdir(), "plume-proto-"));
  try {
    cpSync(join(root, "proto"), join(scratch, "proto"), { recursive: true });
    rmSync(join(scratch, "proto/gen"), { recursive: true });
    const plugin = JSON.stringify({
      version: "v2",
      plugins: [{ local: bin("protoc-gen-ts_proto"), out: "gen", opt: genOptions() }],
    });
    spawnSync(bin("buf"), ["generate", "--template", plugin], { cwd: join(scratch, "proto"), encoding: "utf8" });
    check("generated proto is fresh", "diff", ["-r", join(scratch, "proto/gen"), join(root, "proto/gen")]);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The options of proto/buf.gen.yaml: its `- key=value` lines. */
function genOptions() {
  const text = spawnSync("cat", [join(root, "proto/buf.gen.yaml")], { encoding: "utf8" }).stdout;
  return text.split("\n").flatMap((line) => /^\s+- (\w+=\S+)$/.exec(line)?.[1] ?? []);
}
