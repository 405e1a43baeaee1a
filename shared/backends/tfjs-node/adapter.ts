// The tfjs-node backends: TensorFlow's own library, on the processor or on CUDA, through tfjs-node's binding. `npm run
// setup:tensorflow` builds that binding once, into plume's cache; with `-- --gpu` against the library for CUDA. A computation that runs again and again is recorded and
// replayed as one TensorFlow graph.

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import util from "node:util";
import { counted } from "../../counted.ts";
import { PlumeError } from "../../errors.ts";
import { ROOT } from "../../root.ts";
import { type Backend, type BackendAdapter, type BackendName, tensorMemory } from "../backend.ts";
import { computeEnvironment } from "../environment.ts";
import { lendCore } from "../lend-core.ts";
import { nativeFolder } from "../native-folder.ts";
import type { Binding, NodeBackend } from "./binding.ts";
import { graphProgram } from "./program.ts";

/** Where the native half, its JavaScript and what these need lie. */
interface Installation {
  readonly folder: string;
  readonly binding: string;
}

export const tfjsNode: BackendAdapter = {
  name: "tfjs-node",
  async unavailable() {
    return installed("cpu") ? null : "TensorFlow's library is not set up; run npm run setup:tensorflow";
  },
  open: (threads) => start("tfjs-node", installed("cpu"), threads),
};

/** Another library behind the same binding. */
export const tfjsNodeGpu: BackendAdapter = {
  name: "tfjs-node-gpu",
  async unavailable() {
    if (!installed("gpu") && !peer())
      return "TensorFlow's library for CUDA is not set up; run npm run setup:tensorflow -- --gpu";
    if (process.platform === "linux" && !existsSync("/dev/nvidiactl") && !existsSync("/dev/dxg"))
      return "no NVIDIA device is here (/dev/nvidiactl); install the driver, and in a container pass the device in";
    return null;
  },
  open: (threads) => start("tfjs-node-gpu", installed("gpu") ?? peer(), threads),
};

/** What setup-tensorflow.sh has built. */
function installed(device: "cpu" | "gpu"): Installation | null {
  const folder = nativeFolder("tensorflow", device);
  return existsSync(join(folder, "binding.node")) ? { folder, binding: "./binding.node" } : null;
}

/** The npm package, when its own installation brought the library it was made for (CUDA 11.2). */
function peer(): Installation | null {
  try {
    const folder = dirname(createRequire(join(ROOT, "package.json")).resolve("@tensorflow/tfjs-node-gpu/package.json"));
    const binding = "./lib/napi-v8/tfjs_binding.node";
    return existsSync(join(folder, binding)) ? { folder, binding } : null;
  } catch {
    return null;
  }
}

interface TfjsNode {
  readonly NodeJSKernelBackend: new (binding: Binding, packageName: string) => NodeBackend;
}

let opened: Promise<Backend> | null = null;

function start(name: BackendName, installation: Installation | null, threads: number): Promise<Backend> {
  if (!installation) throw new PlumeError("UNAVAILABLE", `${name} is not set up`, { remedy: "run plume doctor" });
  opened ??= open(name, installation, threads);
  return opened;
}

async function open(name: BackendName, { folder, binding: file }: Installation, threads: number): Promise<Backend> {
  Object.assign(process.env, computeEnvironment({ backend: name, threads, numerics: "strict" }));
  const tf = await import("@tensorflow/tfjs-core");
  const { registerKernels } = await import("./kernels.ts");
  const { registerGradients } = await import("../gradients/index.ts");
  const load = createRequire(join(folder, "package.json"));
  lendCore(tf);
  // Frozen upstream, it calls functions that Node 23 removed.
  const old = util as unknown as Record<string, unknown>;
  old.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
  old.isArray ??= Array.isArray;
  const { backend, binding } = (() => {
    try {
      const binding = load(file) as Binding;
      const { NodeJSKernelBackend } = load("./dist/nodejs_kernel_backend.js") as TfjsNode;
      return { binding, backend: new NodeJSKernelBackend(binding, "@tensorflow/tfjs-node") };
    } catch (cause) {
      throw new PlumeError("UNAVAILABLE", `TensorFlow's library does not load: ${(cause as Error).message}`, {
        remedy: `delete ${folder} and run npm run setup:tensorflow again`,
        cause,
      });
    }
  })();
  tf.registerBackend("tensorflow", () => backend);
  if (!(await tf.setBackend("tensorflow")) || tf.getBackend() !== "tensorflow")
    throw new PlumeError("UNAVAILABLE", "the tfjs-node backend of TensorFlow.js did not start");
  load("./dist/register_all_kernels.js");
  registerGradients();
  registerKernels();
  const gpu = name === "tfjs-node-gpu";
  if (gpu && !binding.isUsingGpuDevice())
    throw new PlumeError("UNAVAILABLE", "TensorFlow finds no CUDA device", {
      remedy:
        "nvidia-smi must show one; CUDA_VISIBLE_DEVICES may hide it; the driver must be as new as CUDA 12.5 wants",
    });
  const { TF_Version: version } = binding;
  const device = gpu ? `CUDA device ${process.env.CUDA_VISIBLE_DEVICES ?? "0"}` : counted(threads, "thread");
  return {
    name,
    device: `TensorFlow ${version} (${device})`,
    memory: () => ({ usedBytes: tf.memory().numBytes, limitBytes: Number.POSITIVE_INFINITY, ...tensorMemory(tf) }),
    check() {},
    program: (computation) => graphProgram(tf, backend, computation),
  };
}
