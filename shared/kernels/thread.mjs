// A kernel thread: one WebAssembly memory, the shards that live in it, one command at a time. Plain JavaScript, so that
// it starts in milliseconds wherever its parent came from.
import { readFileSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";

const { memory } = workerData;
const module = new WebAssembly.Module(readFileSync(new URL("./kernels.wasm", import.meta.url)));
const kernels = new WebAssembly.Instance(module, { env: { memory } }).exports;

// A call is [kernel name, arguments]; a reply holds the results in the order of the calls.
parentPort.on("message", ({ id, calls }) => {
  try {
    parentPort.postMessage({ id, results: calls.map(([name, ...args]) => kernels[name](...args)) });
  } catch (error) {
    parentPort.postMessage({ id, error: String(error?.stack ?? error) });
  }
});
