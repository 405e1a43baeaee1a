// npm run bench:ops -- the kernels of the wasm backend: TensorFlow.js's own against plume's, in GFLOP/s
// or microseconds, and what each kernel takes of a training step of deploy/jobs/fashion.yaml. [--only ops|step] [--quick]
// [--json FILE]

import { join } from "node:path";
import { parseArgs } from "node:util";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-wasm";
import { openBackend } from "../../shared/backends/index.ts";
import { loadJob } from "../../shared/config/load.ts";
import { ROOT } from "../../shared/root.ts";
import { COMMON_OPTIONS, finish, machineLine, markdownTable, type Summary, spread, summarise } from "./measure.ts";
import { openMicroBatchBench } from "./micro-batch.ts";
import { peakGigaflops } from "./simd-peak.ts";

const { values: options } = parseArgs({
  options: { ...COMMON_OPTIONS, only: { type: "string", default: "" } },
});

interface Call {
  readonly kernel: string;
  readonly inputs: Readonly<Record<string, tf.Tensor>>;
  readonly attrs: Readonly<Record<string, unknown>>;
}

interface Op extends Call {
  readonly title: string;
  /** Floating-point operations of one call; 0 for one that only moves or adds. */
  readonly flops: number;
}

// Before the backend opens, these are TensorFlow.js's.
const stock = new Map(tf.getKernelsForBackend("wasm").map(({ kernelName, kernelFunc }) => [kernelName, kernelFunc]));
await openBackend("wasm");

const normal = (...shape: number[]): tf.Tensor => tf.randomNormal(shape, 0, 1, "float32", 1);

function convolution(B: number, side: number, Ci: number, Co: number, k: number, stride: number): Op[] {
  const pad = (k - 1) / 2;
  const explicit = [[0, 0], [pad, pad], [pad, pad], [0, 0]]; // biome-ignore format: a matrix
  const attrs = { strides: [stride, stride], pad: explicit, dataFormat: "NHWC", dilations: [1, 1] };
  const out = Math.floor((side + 2 * pad - k) / stride) + 1;
  const [x, filter, dy] = [normal(B, side, side, Ci), normal(k, k, Ci, Co), normal(B, out, out, Co)] as const;
  const flops = 2 * B * out * out * k * k * Ci * Co;
  const title = (what: string) => `${what} ${k}x${k}/${stride}, [${B},${side},${side},${Ci}] to ${Co}`;
  return [
    { title: title("conv"), kernel: "Conv2D", inputs: { x, filter }, attrs, flops },
    {
      title: title("conv dX"),
      kernel: "Conv2DBackpropInput",
      inputs: { dy, filter },
      attrs: { ...attrs, inputShape: x.shape },
      flops,
    },
    {
      title: title("conv dW"),
      kernel: "Conv2DBackpropFilter",
      inputs: { x, dy },
      attrs: { ...attrs, filterShape: filter.shape },
      flops,
    },
  ];
}

function product(batch: number, m: number, k: number, n: number, transposeA: boolean, transposeB: boolean): Op {
  const a = transposeA ? normal(batch, k, m) : normal(batch, m, k);
  const b = transposeB ? normal(batch, n, k) : normal(batch, k, n);
  const title = `matMul ${batch}x(${m}x${k}x${n})${transposeA ? " tA" : ""}${transposeB ? " tB" : ""}`;
  return {
    title,
    kernel: "BatchMatMul",
    inputs: { a, b },
    attrs: { transposeA, transposeB },
    flops: 2 * batch * m * k * n,
  };
}

function ops(): Op[] {
  const x = normal(16, 14, 14, 64);
  const moved = (title: string, kernel: string, attrs: object): Op => ({
    title: `${title} of [16,14,14,64]`,
    kernel,
    inputs: kernel === "Unpack" ? { value: x } : { x },
    attrs: { ...attrs },
    flops: 0,
  });
  return [
    ...convolution(16, 14, 16, 16, 3, 1),
    ...convolution(16, 7, 64, 32, 3, 1),
    ...convolution(16, 28, 64, 64, 3, 1),
    ...convolution(16, 14, 16, 16, 3, 2),
    ...convolution(16, 14, 32, 16, 1, 1),
    product(1, 512, 512, 512, false, false),
    product(1, 784, 32, 96, true, false),
    product(16, 49, 32, 49, false, true),
    product(16, 49, 49, 32, false, false),
    product(16, 49, 49, 32, true, false),
    product(64, 196, 32, 196, false, true),
    moved("sum over [0,1,2]", "Sum", { axis: [0, 1, 2], keepDims: false }),
    moved("mean over [1,2]", "Mean", { axis: [1, 2], keepDims: false }),
    moved("split in 2 of the channels", "SplitV", { numOrSizeSplits: [32, 32], axis: 3 }),
    moved("unstack of the batch", "Unpack", { axis: 0 }),
  ];
}

function timeCall({ inputs, attrs }: Call, kernelFunc: tf.KernelFunc, repeats: number): number {
  const started = performance.now();
  for (let i = 0; i < repeats; i++) {
    const made = kernelFunc({ inputs: inputs as never, attrs: attrs as never, backend: tf.backend() });
    for (const { dataId } of Array.isArray(made) ? made : [made]) tf.backend().disposeData(dataId);
  }
  return (performance.now() - started) / repeats;
}

/** Milliseconds a call, stock and plume in turn, so that a busy second hits both. */
function measure(op: Op): { readonly stock: Summary | null; readonly plume: Summary } {
  const own = stock.get(op.kernel);
  const plume = tf.getKernel(op.kernel, "wasm").kernelFunc as tf.KernelFunc;
  const kinds = [own, plume].filter((f) => f !== undefined);
  const repeats = kinds.map((f) => {
    timeCall(op, f, 3);
    return Math.max(1, Math.min(200, Math.round(15 / timeCall(op, f, 3))));
  });
  const times = kinds.map((): number[] => []);
  for (let round = 0; round < (options.quick ? 5 : 9); round++)
    kinds.forEach((f, i) => {
      times[i]!.push(timeCall(op, f, repeats[i]!));
    });
  return { stock: own ? summarise(times[0]!) : null, plume: summarise(times.at(-1)!) };
}

interface KernelShare {
  readonly kernel: string;
  readonly calls: number;
  readonly ms: number;
}

/** What each kernel takes of a training step. Kernels that others call count for their callers. */
async function profileStep(steps: number): Promise<{ step: Summary; kernels: KernelShare[]; parameters: number }> {
  const { spec } = loadJob(join(ROOT, "deploy/jobs/fashion.yaml"), { set: [] });
  const bench = await openMicroBatchBench(spec, spec.data.imageSize, "wasm");
  for (let i = 0; i < 10; i++) await bench.step();
  const millis: number[] = [];
  for (let i = 0; i < steps; i++) millis.push(await bench.step());
  const step = summarise(millis);
  const spent = new Map<string, { calls: number; ms: number }>();
  let inside = false;
  for (const config of tf.getKernelsForBackend("wasm")) {
    const entry = { calls: 0, ms: 0 };
    spent.set(config.kernelName, entry);
    tf.unregisterKernel(config.kernelName, "wasm");
    tf.registerKernel({
      kernelName: config.kernelName,
      backendName: "wasm",
      kernelFunc: (params) => {
        if (inside) return config.kernelFunc(params);
        inside = true;
        const started = performance.now();
        try {
          return config.kernelFunc(params);
        } finally {
          inside = false;
          entry.ms += performance.now() - started;
          entry.calls++;
        }
      },
    });
  }
  for (let i = 0; i < steps; i++) await bench.step();
  const kernels = [...spent]
    .map(([kernel, { calls, ms }]) => ({ kernel, calls: calls / steps, ms: ms / steps }))
    .filter(({ calls }) => calls > 0)
    .sort((a, b) => b.ms - a.ms);
  return { step, kernels, parameters: bench.parameters };
}

const measured = options.only === "step" ? [] : ops().map((op) => ({ op, ...measure(op) }));
const profile = options.only === "ops" ? null : await profileStep(options.quick ? 10 : 30);
const peak = peakGigaflops();

console.log(`${machineLine()}\n`);
const gigaflops = (flops: number, { median }: Summary) => flops / median / 1e6;
const rate = (flops: number, ms: Summary | null): string => {
  if (!ms) return "missing";
  return flops > 0 ? `${gigaflops(flops, ms).toFixed(1)} GFLOP/s` : `${(ms.median * 1000).toFixed(0)} us`;
};
const share = (flops: number, ms: Summary) => (flops > 0 ? (gigaflops(flops, ms) / peak.median).toFixed(2) : "");
if (measured.length > 0) {
  const rows = measured.map(({ op, stock: own, plume }) => [
    op.title,
    rate(op.flops, own),
    rate(op.flops, plume),
    share(op.flops, plume),
    spread(plume, 3),
  ]);
  const head = ["kernel", "TensorFlow.js", "plume", "of the peak", "plume ms, median (min to max)"];
  console.log(markdownTable([head, ...rows]));
  console.log(`\nSIMD multiply and add in registers, one thread: ${spread(peak, 1)} GFLOP/s\n`);
}
if (profile) {
  const total = profile.kernels.reduce((sum, { ms }) => sum + ms, 0);
  const rows = profile.kernels.slice(0, 16).map(({ kernel, calls, ms }) => [kernel, String(calls), ms.toFixed(2)]);
  console.log(
    `one micro-batch of 16, ${profile.parameters} parameters: ${spread(profile.step, 1)} ms, median (min to max)\n`,
  );
  console.log(markdownTable([["kernel", "calls", "ms a step"], ...rows, ["all kernels", "", total.toFixed(2)]]));
  console.log();
}

/** The median over the 3x3 convolutions of stride 1, which are nearly all of a U-Net's. */
const ofPeak = (kernel: string): number | undefined => {
  const rates = measured.filter(({ op }) => op.kernel === kernel && op.title.includes("3x3/1"));
  return rates.length > 0
    ? summarise(rates.map(({ op, plume }) => gigaflops(op.flops, plume) / peak.median)).median
    : undefined;
};
finish("ops", options.json, {
  ratios: {
    convVsWasmPeak: ofPeak("Conv2D"),
    convInputGradientVsWasmPeak: ofPeak("Conv2DBackpropInput"),
    convFilterGradientVsWasmPeak: ofPeak("Conv2DBackpropFilter"),
  },
  results: { peak, ops: measured.map(({ op: { title, flops }, ...times }) => ({ title, flops, ...times })), profile },
});
