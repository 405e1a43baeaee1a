// The tfjs-node backend: TensorFlow's own library on the processor, through tfjs-node's binding. `npm run
// setup:tensorflow` builds that binding once, into plume's cache. A computation that runs again and again is recorded and
// replayed as one TensorFlow graph.

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import util from "node:util";
import { PlumeError } from "../../errors.ts";
import type { Backend, BackendAdapter } from "../backend.ts";
import { cached, lendCore } from "../cache.ts";
import { computeEnvironment } from "../environment.ts";
import type { Binding, NodeBackend } from "./binding.ts";
import { graphProgram } from "./program.ts";

const folder = () => cached("tensorflow/cpu");

export const tfjsNode: BackendAdapter = {
  name: "tfjs-node",
  async unavailable() {
    if (existsSync(join(folder(), "binding.node"))) return null;
    return "TensorFlow's library is not set up; run npm run setup:tensorflow";
  },
  open: (threads) => (opened ??= start(threads)),
};

let opened: Promise<Backend> | null = null;

interface TfjsNode {
  readonly NodeJSKernelBackend: new (binding: Binding, packageName: string) => NodeBackend;
}

async function start(threads: number): Promise<Backend> {
  Object.assign(process.env, computeEnvironment(threads));
  const tf = await import("@tensorflow/tfjs-core");
  const { registerKernels } = await import("./kernels.ts");
  const { registerGradients } = await import("../gradients/index.ts");
  const load = createRequire(join(folder(), "package.json"));
  lendCore(tf);
  // Frozen upstream, it calls functions that Node 23 removed.
  const old = util as unknown as Record<string, unknown>;
  old.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
  old.isArray ??= Array.isArray;
  const { backend, binding } = (() => {
    try {
      const binding = load("./binding.node") as Binding;
      const { NodeJSKernelBackend } = load("./dist/nodejs_kernel_backend.js") as TfjsNode;
      return { binding, backend: new NodeJSKernelBackend(binding, "@tensorflow/tfjs-node") };
    } catch (cause) {
      throw new PlumeError("UNAVAILABLE", `TensorFlow's library does not load: ${(cause as Error).message}`, {
        remedy: `delete ${folder()} and run npm run setup:tensorflow again`,
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
  const { TF_Version: version } = binding;
  return {
    name: "tfjs-node",
    device: `TensorFlow ${version} (${threads} thread${threads === 1 ? "" : "s"})`,
    memory: () => ({ usedBytes: tf.memory().numBytes, limitBytes: Number.POSITIVE_INFINITY }),
    check() {},
    program: (computation) => graphProgram(tf, backend, computation),
  };
}
