// A folder that all chaos tests of one invocation share: what their jobs end with when nothing happens to them.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  export interface ProvidedContext {
    calmRuns: string;
  }
}

export default function setup(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), "plume-calm-"));
  project.provide("calmRuns", folder);
  return () => rmSync(folder, { recursive: true, force: true });
}
