import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// A fact that is waited for may take as long as a busy machine needs; what is asked for is the fact.
const POLL = { timeout: 30_000 };

const project = (name: string, options: object = {}) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], expect: { poll: POLL }, ...options },
});

// Two files at a time: tests of real processes wait for one another more than they compute. None may lean on being alone.
export default defineConfig({
  root: fileURLToPath(new URL("..", import.meta.url)),
  test: {
    projects: [
      project("unit", { testTimeout: 30_000 }),
      project("contract", { testTimeout: 120_000, hookTimeout: 120_000 }),
      project("golden", { testTimeout: 120_000 }),
      project("model", { testTimeout: 300_000 }),
      project("chaos", {
        globalSetup: ["test/chaos/setup.ts"],
        testTimeout: 180_000,
        hookTimeout: 120_000,
      }),
      // npm run test:gpu, on a machine that has one.
      ...(process.env.PLUME_TEST_GPU
        ? [
            project("gpu", {
              include: ["test/gpu/**/*.test.ts", "test/contract/backend-webgpu.test.ts"],
              testTimeout: 120_000,
            }),
          ]
        : []),
      // Most of what is asked there is asked by a process: more often would take the processor from what is waited for.
      project("e2e", { testTimeout: 120_000, hookTimeout: 120_000, expect: { poll: { ...POLL, interval: 200 } } }),
    ],
    maxWorkers: 2,
  },
});
