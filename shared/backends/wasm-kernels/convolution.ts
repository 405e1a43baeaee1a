// The gradients of a convolution. TensorFlow.js has no filter gradient on wasm (issue 8474): it is a kernel of plume's
// own. Its input gradient runs at a twelfth of the forward speed: it is written as a forward convolution of XNNPACK's.

import { backend_util, type TensorInfo } from "@tensorflow/tfjs-core";
import { unsupported } from "../unsupported.ts";
import { defineKernel, type HeapKernels, type KernelCall } from "./heap.ts";
import { isWinograd, winogradFilterGradient } from "./winograd.ts";

type Four = [number, number, number, number];
type Pad = Parameters<typeof backend_util.computeConv2DInfo>[4];

interface ConvAttrs {
  readonly strides: number | [number, number];
  readonly pad: Pad;
  readonly dimRoundingMode?: "floor" | "round" | "ceil";
}

export function registerConvolutionGradients(kernels: HeapKernels): void {
  defineKernel("Conv2DBackpropFilter", kernels, filterGradient);
  defineKernel("Conv2DBackpropInput", kernels, inputGradient);
}

/** dw[kh, kw, Ci, Co] = sum over batch and space of x and dy, in a kernel of plume's own. */
function filterGradient(call: KernelCall): TensorInfo {
  const { x, dy } = call.inputs as { x: TensorInfo; dy: TensorInfo };
  const { strides, pad, dimRoundingMode, filterShape } = call.attrs as unknown as ConvAttrs & { filterShape: Four };
  const info = backend_util.computeConv2DInfo(x.shape as Four, filterShape, strides, 1, pad, dimRoundingMode);
  const { batchSize, inHeight, inWidth, inChannels, outHeight, outWidth, outChannels, padInfo } = info;
  const stride = squareStride("Conv2DBackpropFilter", info);
  if (isWinograd(info)) return winogradFilterGradient(call, info);
  const out = call.output(filterShape);
  const [kh, kw] = filterShape;
  const sizes = [batchSize, inHeight, inWidth, inChannels, outHeight, outWidth, outChannels, kh, kw];
  const { filterGradient: kernel } = call.kernels;
  kernel!(call.at(x), call.at(dy), call.at(out), ...sizes, stride, padInfo.top, padInfo.left);
  return out;
}

/** dx: dy with zeros between its pixels (stride > 1), convolved with the filter flipped and its channels exchanged. */
function inputGradient(call: KernelCall): TensorInfo {
  const { dy, filter } = call.inputs as { dy: TensorInfo; filter: TensorInfo };
  const { strides, pad, dimRoundingMode, inputShape } = call.attrs as unknown as ConvAttrs & { inputShape: Four };
  const info = backend_util.computeConv2DInfo(inputShape, filter.shape as Four, strides, 1, pad, dimRoundingMode);
  const { batchSize: B, inHeight: H, inWidth: W, inChannels: Ci, outHeight: Ho, outWidth: Wo, outChannels: Co } = info;
  const { filterHeight: kh, filterWidth: kw, padInfo } = info;
  const stride = squareStride("Conv2DBackpropInput", info);
  const flipped = call.output([kh, kw, Co, Ci]);
  call.kernels.flipFilter!(call.at(filter), call.at(flipped), kh, kw, Ci, Co);

  const stretched = stride > 1;
  let source = dy;
  let [sourceHeight, sourceWidth] = [Ho, Wo];
  if (stretched) {
    [sourceHeight, sourceWidth] = [(Ho - 1) * stride + 1, (Wo - 1) * stride + 1];
    source = call.output([B, sourceHeight, sourceWidth, Co]);
    call.kernels.stuffZeros!(call.at(dy), call.at(source), B, Ho, Wo, Co, sourceHeight, sourceWidth, stride);
  }
  const before = [kh - 1 - padInfo.top, kw - 1 - padInfo.left] as const;
  const after = [H - sourceHeight + kh - 1 - before[0], W - sourceWidth + kw - 1 - before[1]] as const;
  const explicit: Pad = [
    [0, 0],
    [before[0], after[0]],
    [before[1], after[1]],
    [0, 0],
  ];
  const attrs = { strides: 1, pad: explicit, dilations: 1, dataFormat: "NHWC" };
  const dx = call.run("Conv2D", { x: source, filter: flipped }, attrs);
  call.dispose(flipped, ...(stretched ? [source] : []));
  return dx;
}

function squareStride(kernel: string, { strideHeight, strideWidth }: backend_util.Conv2DInfo): number {
  if (strideHeight === strideWidth) return strideHeight;
  throw unsupported(kernel, `stride ${strideHeight} x ${strideWidth}`, "use the same stride along both sides");
}
