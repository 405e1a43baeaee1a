// What TensorFlow.js only logs is an error here. In files of their own: a lost device does not come back.
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { openBackend } from "../../shared/backends/index.ts";
import { useSwiftShader } from "../support/swiftshader.ts";

useSwiftShader();

interface Inside {
  readonly device: { destroy(): void; readonly limits: { readonly maxBufferSize: number } };
}

it("names a tensor that the GPU has no room for, then a device that is lost", async () => {
  const backend = await openBackend("webgpu");
  const { device } = tf.backend() as unknown as Inside;
  backend.check();
  const floats = device.limits.maxBufferSize / 4 + 4;
  await tf
    .fill([floats], 1)
    .data()
    .catch(() => {});
  const thrown = (code: string) => expect.objectContaining({ code, remedy: expect.stringContaining(" ") });
  await expect.poll(() => caught(() => backend.check())).toEqual(thrown("RESOURCE_EXHAUSTED"));
  expect(String(caught(() => backend.check()))).toMatch(/the GPU refused work: .*[Bb]uffer/);
  device.destroy();
  await expect.poll(() => caught(() => backend.check())).toEqual(thrown("UNAVAILABLE"));
  expect(String(caught(() => backend.check()))).toMatch(/the GPU was lost \(destroyed\)/);
});

function caught(work: () => void): unknown {
  try {
    work();
    return null;
  } catch (error) {
    return error;
  }
}
