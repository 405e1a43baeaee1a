// npm test: every project of vitest, then one closing line that a script can read: N passed, N failed, N skipped.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "plume-tests-"));
const report = join(scratch, "report.json");
const vitest = join(root, "node_modules/vitest/vitest.mjs");
const args = [
  "run",
  "--config",
  "test/vitest.config.ts",
  "--reporter=default",
  "--reporter=json",
  `--outputFile.json=${report}`,
];
const child = spawn(process.execPath, [vitest, ...args, ...process.argv.slice(2)], { cwd: root, stdio: "inherit" });
child.on("exit", (code) => {
  let counts = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] };
  try {
    counts = JSON.parse(readFileSync(report, "utf8"));
  } catch (error) {
    console.error(`no test report: ${error.message}`);
    code ||= 1;
  }
  rmSync(scratch, { recursive: true, force: true });
  const skipped = counts.numPendingTests + counts.numTodoTests;
  for (const file of counts.testResults)
    for (const test of file.assertionResults)
      if (test.status === "pending" || test.status === "skipped") console.log(`skipped: ${test.fullName}`);
  console.log(`${counts.numPassedTests} passed, ${counts.numFailedTests} failed, ${skipped} skipped`);
  process.exit(code ?? 1);
});
