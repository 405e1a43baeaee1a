// The webgpu backend: TensorFlow.js's WebGPU kernels on Dawn, which drives any vendor's GPU through Vulkan or Metal.
// `npm run setup:webgpu` brings both. TensorFlow.js only logs what goes wrong on a device and falls back to another
// backend; here every such word is an error.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type * as tfjs from "@tensorflow/tfjs-core";
import { PlumeError } from "../../errors.ts";
import { eagerProgram } from "../../nn/program.ts";
import { type Backend, type BackendAdapter, tensorMemory } from "../backend.ts";
import { lendCore } from "../lend-core.ts";
import { nativeFolder } from "../native-folder.ts";

const folder = () => nativeFolder("webgpu", "current");
const dawn = () => pathToFileURL(join(folder(), "dawn/index.js")).href;
/** Dawn picks another way to the same GPU where it may, and finds less there. */
const OPTIONS = process.platform === "linux" ? ["backend=vulkan"] : [];

export const webgpu: BackendAdapter = {
  name: "webgpu",
  async unavailable() {
    if (!existsSync(join(folder(), "dawn/index.js"))) return "Dawn is not set up; run npm run setup:webgpu";
    return probe().missing;
  },
  worthwhile: async () => !/swiftshader|llvmpipe|lavapipe/i.test(probe().found ?? ""),
  open: () => (opened ??= start()),
};

let opened: Promise<Backend> | null = null;

interface Probed {
  /** Vendor and architecture of the GPU. */
  readonly found: string | null;
  readonly missing: string | null;
}

let probed: Probed | null = null;

/** In a process of its own, once: a GPU that was asked for keeps its process alive. */
function probe(): Probed {
  probed ??= lookForGpu();
  return probed;
}

function lookForGpu(): Probed {
  const script = `import(${JSON.stringify(dawn())}).then(async ({ create }) => {
    const adapter = await create(${JSON.stringify(OPTIONS)}).requestAdapter();
    if (adapter) process.stdout.write(\`found \${adapter.info.vendor} \${adapter.info.architecture}\`);
    process.exit(0);
  })`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
    timeout: 30_000,
  });
  if (stdout.startsWith("found")) return { found: stdout.slice("found ".length), missing: null };
  const said = stderr
    .trim()
    .split("\n")[0]
    ?.replace(/^Warning: /, "");
  const why = said || `Dawn ended with ${status}`;
  const missing = `no GPU is found (${why}); install its Vulkan driver, and in a container pass the device in`;
  return { found: null, missing };
}

interface Dawn {
  create(options: readonly string[]): object;
  readonly globals: object;
}

/** What plume uses of WebGPU's interfaces. */
interface Device {
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  onuncapturederror: ((event: { readonly error: { readonly message: string } }) => void) | null;
  readonly limits: { readonly maxBufferSize: number };
}
interface WebGpuBackend extends tfjs.KernelBackend {
  readonly device: Device;
  readonly adapterInfo: { readonly vendor: string; readonly architecture: string };
  readonly bufferManager: { readonly numBytesAllocated: number };
}

async function start(): Promise<Backend> {
  const tf = await import("@tensorflow/tfjs-core");
  const { registerGradients } = await import("../gradients/index.ts");
  const { registerKernels } = await import("./kernels.ts");
  const { create, globals } = (await import(dawn())) as Dawn;
  Object.assign(globalThis, globals);
  const navigator = { gpu: create(OPTIONS), userAgent: "node" };
  Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true });
  lendCore(tf);
  createRequire(join(folder(), "package.json"))("./tfjs/tf-backend-webgpu.node.js");
  const started = await tf.setBackend("webgpu").catch(() => false);
  if (!started || tf.getBackend() !== "webgpu")
    throw new PlumeError("UNAVAILABLE", "the webgpu backend of TensorFlow.js did not start: Dawn finds no GPU", {
      remedy: "run plume doctor",
    });
  const inside = tf.backend() as WebGpuBackend;
  registerGradients();
  registerKernels();
  let broken: PlumeError | null = null;
  const { device, adapterInfo } = inside;
  device.onuncapturederror = ({ error }) => {
    const said = error.message.trim().split("\n")[0];
    broken ??= new PlumeError("RESOURCE_EXHAUSTED", `the GPU refused work: ${said}`, {
      remedy: "lower training.microBatch or model.channels",
    });
  };
  // Loss is the last word, whatever was said before.
  void device.lost.then(({ reason, message }) => {
    broken = new PlumeError("UNAVAILABLE", `the GPU was lost (${reason || "unknown"}): ${message}`, {
      remedy: "look at the driver's log; the worker is started anew",
    });
  });
  return {
    name: "webgpu",
    device: `${adapterInfo.vendor} ${adapterInfo.architecture} (WebGPU through Dawn)`,
    memory: () => ({
      usedBytes: inside.bufferManager.numBytesAllocated,
      limitBytes: Number.POSITIVE_INFINITY,
      ...tensorMemory(tf),
    }),
    check() {
      if (broken) throw broken;
    },
    program: (computation) => eagerProgram(tf, computation),
  };
}
