// Compiles the AssemblyScript modules; the results are committed. `--check` fails when a committed one is not what its
// source compiles to.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const at = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const common = ["--runtime", "stub", "--importMemory", "--enable", "simd", "-O3", "--noAssert", "--use", "abort="];
const modules = [
  // Flat vectors in memory that threads share.
  {
    folder: "shared/kernels",
    // Every optimizer is a kernel.
    entries: readdirSync(at("shared/kernels/assembly/optimizers"))
      .filter((file) => file.endsWith(".ts"))
      .map((file) => `optimizers/${file}`),
    flags: ["--enable", "threads", "--sharedMemory", "--initialMemory", "1", "--maximumMemory", "65536"],
  },
  // Tensors in the heap of TensorFlow.js's wasm backend.
  { folder: "shared/backends/wasm-kernels", entries: [], flags: [] },
];

const check = process.argv.includes("--check");
const scratch = mkdtempSync(join(tmpdir(), "plume-kernels-"));
try {
  for (const { folder, entries, flags } of modules) {
    const committed = at(`${folder}/kernels.wasm`);
    const target = check ? join(scratch, "kernels.wasm") : committed;
    const args = [
      at("node_modules/assemblyscript/bin/asc.js"),
      ...["index.ts", ...entries].map((file) => at(`${folder}/assembly/${file}`)),
      "--outFile",
      target,
      ...common,
      ...flags,
    ];
    execFileSync(process.execPath, args, { stdio: "inherit" });
    if (check && !readFileSync(target).equals(readFileSync(committed))) {
      console.error(
        `${folder}/kernels.wasm is not what its source compiles to: run \`npm run gen:kernels\` and commit it`,
      );
      process.exitCode = 1;
    }
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
