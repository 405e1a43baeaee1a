// The machine's wasm SIMD peak: a register-only loop of multiply and add, compiled when it is asked for.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../../shared/root.ts";
import { type Summary, summarise } from "./measure.ts";

const ROUNDS = 2_000_000;
/** Of one round: twelve registers of four lanes, a product and a sum each. */
const FLOPS = 12 * 4 * 2;

/** GFLOP/s of one thread. */
export function peakGigaflops(runs = 15): Summary {
  const folder = mkdtempSync(join(tmpdir(), "plume-bench-"));
  try {
    const file = join(folder, "peak.wasm");
    const asc = join(ROOT, "node_modules/assemblyscript/bin/asc.js");
    const source = join(ROOT, "test/bench/assembly/peak.ts");
    execFileSync(process.execPath, [asc, source, "--outFile", file, "--runtime", "stub", "--enable", "simd", "-O3"]);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(file)));
    const multiplyAdd = instance.exports.multiplyAdd as (rounds: number) => number;
    multiplyAdd(ROUNDS);
    const rates = Array.from({ length: runs }, () => {
      const started = performance.now();
      multiplyAdd(ROUNDS);
      return (ROUNDS * FLOPS) / 1e6 / (performance.now() - started);
    });
    return summarise(rates);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
