// What all chaos tests of one invocation share: a folder with what their jobs end with when nothing happens to them, and
// the bundle that workers with a defect start from, as quickly as the real ones do.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { bundled } from "../../coordinator/cli/bundle.mjs";

declare module "vitest" {
  export interface ProvidedContext {
    calmRuns: string;
    chaosBundle: string;
  }
}

const FAULTY = {
  "faulty-worker": "test/chaos/faulty-worker.ts",
  "dying-coordinator": "test/chaos/dying-coordinator.ts",
};

export default async function setup(project: TestProject): Promise<() => void> {
  const folder = mkdtempSync(join(tmpdir(), "plume-calm-"));
  project.provide("calmRuns", folder);
  project.provide("chaosBundle", await bundled(FAULTY, ["test/chaos"]));
  return () => rmSync(folder, { recursive: true, force: true });
}
