import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { openBackend } from "../../shared/backends/index.ts";
import { openWasm } from "../../shared/backends/wasm.ts";
import { describeBackend } from "./backend/suite.ts";
import { describePrograms } from "./program-suite.ts";

describeBackend("wasm", () => openBackend("wasm"));
describePrograms(() => openBackend("wasm"), 0, "Multiply");

it("the wasm backend is opened once a thread, with one budget", async () => {
  const open = await openBackend("wasm");
  expect(await openBackend("wasm")).toBe(open);
  await expect(openWasm(2 ** 20)).rejects.toThrow(/open with a budget of 3221225472 bytes, not 1048576/);
});

it("the wasm backend refuses by name a kernel whose result is wrong", async () => {
  await openBackend("wasm");
  const dy = tf.ones([1, 2, 2, 2, 1]);
  const filter = tf.ones([2, 2, 2, 1, 1]);
  const attrs = { pad: "valid", strides: [1, 1, 1], inputShape: [1, 3, 3, 3, 1] };
  const run = () => tf.engine().runKernel("Conv3DBackpropInputV2", { dy, filter }, attrs);
  expect(run).toThrow(/Conv3DBackpropInputV2: the wasm backend computes a wrong result/);
  expect(run).toThrow(expect.objectContaining({ code: "FAILED_PRECONDITION" }));
});

it("the wasm backend names what its gradients do not cover", async () => {
  await openBackend("wasm");
  const [x, w] = [tf.ones([1, 5, 5, 4]) as tf.Tensor4D, tf.ones([3, 3, 4, 4]) as tf.Tensor4D];
  const through = (op: (x: tf.Tensor4D) => tf.Tensor) => () => tf.grad((v) => tf.sum(op(v as tf.Tensor4D)))(x);
  expect(through((v) => tf.conv2d(v, w, [1, 2], "same"))).toThrow(/Conv2DBackpropInput: stride 1 x 2 is not supported/);
  expect(through((v) => tf.conv2d(v, w, 1, "same", "NHWC", 2))).toThrow(/gradient of Conv2D: dilation 2 is not/);
  expect(through((v) => tf.gather(v, tf.tensor1d([0], "int32"), 1))).toThrow(/gradient of GatherV2: axis 1 is not/);
});
