// What the gradient tables share. TensorFlow.js keeps its own gradients in a package that brings every backend along;
// these few are written for training on the plain core, with as few kernels each as they can have.

import {
  broadcast_util,
  type GradConfig,
  type NamedAttrMap,
  registerGradient,
  reshape,
  sum,
  type Tensor,
} from "@tensorflow/tfjs-core";
import { columnSums } from "../../nn/fused.ts";

export interface GradientRule {
  readonly save?: readonly string[];
  /** Which outputs to save, by position. */
  readonly saveOutputs?: readonly boolean[];
  readonly saveAll?: boolean;
  /** By input name, given dy and what was saved. */
  readonly gradient: (dy: Tensor & Tensor[], saved: Tensor[], attrs: NamedAttrMap) => Record<string, () => Tensor>;
}

export function registerRules(rules: Readonly<Record<string, GradientRule>>): void {
  for (const [kernelName, { save, saveOutputs, saveAll, gradient }] of Object.entries(rules)) {
    const config: GradConfig = {
      kernelName,
      ...(save ? { inputsToSave: [...save] } : {}),
      ...(saveOutputs ? { outputsToSave: [...saveOutputs] } : {}),
      ...(saveAll ? { saveAllInputs: true } : {}),
      gradFunc: gradient as unknown as GradConfig["gradFunc"],
    };
    registerGradient(config);
  }
}

/** Sums a gradient over the axes along which its input was broadcast. */
export function unbroadcast(dy: Tensor, shape: number[]): Tensor {
  if (sameShape(dy.shape, shape)) return dy;
  const inner = shape.length === 1 || shape.slice(0, -1).every((n) => n === 1);
  if (inner && shape.at(-1) === dy.shape.at(-1)) return reshape(columnSums(dy), shape);
  const axes = broadcast_util.getReductionAxes(shape, dy.shape);
  return reshape(axes.length > 0 ? sum(dy, axes) : dy, shape);
}

const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((n, i) => n === b[i]);
