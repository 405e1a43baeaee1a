// 3x3 convolutions of stride 1 with 2.25 times fewer multiplications, where that is faster than XNNPACK: not for the few
// channels of an image, because the transforms around the products cost the same for few as for many.

import { backend_util, type TensorInfo } from "@tensorflow/tfjs-core";
import { type HeapKernels, improveKernel, type KernelCall } from "./heap.ts";

type Info = backend_util.Conv2DInfo;
type Four = [number, number, number, number];

interface ConvAttrs {
  readonly strides: number | [number, number];
  readonly pad: Parameters<typeof backend_util.computeConv2DInfo>[4];
  readonly dilations?: number | [number, number];
  readonly dimRoundingMode?: "floor" | "round" | "ceil";
  readonly dataFormat?: string;
  readonly activation?: string | null;
}

/** With fewer, on either side, XNNPACK is faster (npm run bench:ops). */
const FEWEST_CHANNELS = 8;
/** Tiles that are transformed and multiplied at once: what they take stays in the second-level cache. */
const MOST_ROWS = 64;

export function registerWinograd(kernels: HeapKernels): void {
  for (const name of ["Conv2D", "FusedConv2D"])
    improveKernel(name, kernels, (call) => fits(infoOf(call), call), convolution);
}

/** True where F(2x2, 3x3) can compute it, and is worth it. */
function fits(info: Info, { inputs, attrs }: Pick<KernelCall, "inputs" | "attrs">): boolean {
  const { activation, dataFormat } = attrs as unknown as ConvAttrs;
  const plain = (activation ?? "linear") === "linear" && (dataFormat ?? "NHWC") === "NHWC";
  return plain && !inputs.preluActivationWeights && isWinograd(info);
}

export function isWinograd(info: Info): boolean {
  const { filterHeight, filterWidth, strideHeight, strideWidth, dilationHeight, dilationWidth } = info;
  const { inChannels, outChannels } = info;
  return (
    filterHeight === 3 &&
    filterWidth === 3 &&
    [strideHeight, strideWidth, dilationHeight, dilationWidth].every((n) => n === 1) &&
    inChannels % 4 === 0 &&
    outChannels % 8 === 0 &&
    Math.min(inChannels, outChannels) >= FEWEST_CHANNELS
  );
}

function infoOf({ inputs, attrs }: KernelCall): Info {
  const { strides, pad, dilations, dimRoundingMode } = attrs as unknown as ConvAttrs;
  const shapes = [inputs.x!.shape as Four, inputs.filter!.shape as Four] as const;
  return backend_util.computeConv2DInfo(...shapes, strides, dilations ?? 1, pad, dimRoundingMode);
}

function convolution(call: KernelCall): TensorInfo {
  const { x, filter, bias } = call.inputs;
  const info = infoOf(call);
  const { inChannels: Ci, outChannels: Co } = info;
  const y = call.output([info.batchSize, info.outHeight, info.outWidth, Co]);
  const u = call.output([16, Ci, Co]);
  const { scratch, rows } = scratchOf(call, info, 0);
  call.kernels.winogradFilter!(call.at(filter!), call.at(u), Ci, Co);
  const b = bias ? call.at(bias) : 0;
  call.kernels.winogradConvolution!(call.at(x!), call.at(u), b, call.at(y), call.at(scratch), ...sizesOf(info), rows);
  call.dispose(u, scratch);
  return y;
}

/** dw[3, 3, Ci, Co]. */
export function winogradFilterGradient(call: KernelCall, info: Info): TensorInfo {
  const { x, dy } = call.inputs;
  const { inChannels: Ci, outChannels: Co } = info;
  const dw = call.output([3, 3, Ci, Co]);
  const { scratch, rows } = scratchOf(call, info, 16 * Ci * Co);
  call.kernels.winogradFilterGradient!(
    call.at(x!),
    call.at(dy!),
    call.at(dw),
    call.at(scratch),
    ...sizesOf(info),
    rows,
  );
  call.dispose(scratch);
  return dw;
}

function scratchOf(call: KernelCall, { inChannels, outChannels, outHeight, outWidth }: Info, more: number) {
  const [th, tw] = [Math.ceil(outHeight / 2), Math.ceil(outWidth / 2)];
  // Blocks of equal size, so that none is nearly empty.
  const tiles = th * tw;
  const rows = 4 * Math.ceil(tiles / Math.ceil(tiles / MOST_ROWS) / 4);
  const image = (2 * th + 2) * (2 * tw + 2) * inChannels;
  return { rows, scratch: call.output([image + 16 * rows * (inChannels + outChannels) + more]) };
}

function sizesOf(info: Info): number[] {
  const { batchSize, inHeight, inWidth, inChannels, outHeight, outWidth, outChannels, padInfo } = info;
  return [batchSize, inHeight, inWidth, inChannels, outHeight, outWidth, outChannels, padInfo.top, padInfo.left];
}
