// Compiles assembly/index.ts to kernels.wasm, which is committed. `--check` fails when the committed one is not what
// the source compiles to.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = (file) => fileURLToPath(new URL(file, import.meta.url));
const check = process.argv.includes("--check");
const scratch = mkdtempSync(join(tmpdir(), "plume-kernels-"));
const target = check ? join(scratch, "kernels.wasm") : here("kernels.wasm");
const compiler = fileURLToPath(new URL("../../node_modules/assemblyscript/bin/asc.js", import.meta.url));
const flags = ["--runtime", "stub", "--importMemory", "--sharedMemory", "--initialMemory", "1", "--maximumMemory", "65536"];
flags.push("--enable", "simd", "--enable", "threads", "-O3", "--noAssert", "--use", "abort=");
try {
  execFileSync(process.execPath, [compiler, here("assembly/index.ts"), "--outFile", target, ...flags], { stdio: "inherit" });
  if (check && !readFileSync(target).equals(readFileSync(here("kernels.wasm")))) {
    console.error("shared/kernels/kernels.wasm is not what its source compiles to: run `npm run gen:kernels` and commit it");
    process.exit(1);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
