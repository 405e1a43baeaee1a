// On a real GPU: fifty steps of the quickstart's network end with the same bits twice, and how fast they were.

import { createHash } from "node:crypto";
import { join } from "node:path";
import { expect, it } from "vitest";
import { loadJob } from "../../shared/config/load.ts";
import { ROOT } from "../../shared/root.ts";
import { openMicroBatchBench } from "../bench/micro-batch.ts";
import { useSwiftShader } from "../support/swiftshader.ts";

const onProcessor = process.env.PLUME_TEST_GPU === "swiftshader";
if (onProcessor) useSwiftShader();
const STEPS = onProcessor ? 3 : 50;

it(`trains for ${STEPS} steps to the same bits twice`, { timeout: 600_000 }, async () => {
  const { spec } = loadJob(join(ROOT, "deploy/jobs/fashion.yaml"), { set: [] });
  const train = async () => {
    const bench = await openMicroBatchBench(spec, spec.data.imageSize, "webgpu");
    const millis: number[] = [];
    for (let step = 0; step < STEPS; step++) millis.push(await bench.step());
    const { buffer, byteOffset, byteLength } = bench.weights;
    const sha256 = createHash("sha256")
      .update(new Uint8Array(buffer, byteOffset, byteLength))
      .digest("hex");
    return { sha256, millis: millis.sort((a, b) => a - b), device: bench.device };
  };
  const [once, again] = [await train(), await train()];
  expect(again.sha256).toBe(once.sha256);
  const median = again.millis[STEPS >> 1]!;
  console.log(
    `${once.device}: ${median.toFixed(1)} ms a micro-batch of 16 (median of ${STEPS}), weights ${once.sha256}`,
  );
});
