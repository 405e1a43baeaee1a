// What can be shown without CUDA: the words of a machine that lacks it. test/unit/environment.test.ts has each worker's
// environment; a GPU's own suite is npm run test:gpu.
import { join } from "node:path";
import { expect, it } from "vitest";
import { scratchFolder, startPlume, tinyJob } from "../support/plume.ts";

it("tfjs-node-gpu is refused with the remedy before anything starts when its library is not set up", async () => {
  using scratch = scratchFolder();
  const args = ["train", "-f", tinyJob(scratch.path), "--out", join(scratch.path, "out")];
  args.push("--set", "workers.backend=tfjs-node-gpu");
  const { code, stderr } = await startPlume(args, { env: { PLUME_CACHE: join(scratch.path, "empty") } }).finished;
  expect(code).toBe(2);
  expect(stderr).toContain("TensorFlow's library for CUDA is not set up; run npm run setup:tensorflow -- --gpu");
});
