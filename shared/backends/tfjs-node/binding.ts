// The native half of tfjs-node, as its JavaScript half sees it. Every operation goes through `executeOp`, by
// TensorFlow's own names and attributes.

import type * as tf from "@tensorflow/tfjs-core";

export interface OpAttribute {
  readonly name: string;
  /** TF_AttrType. */
  readonly type: number;
  readonly value: unknown;
}

interface TensorHandle {
  readonly id: number;
  readonly shape: number[];
  /** TF_DataType. */
  readonly dtype: number;
}

export interface Binding {
  createTensor(shape: readonly number[], dtype: number, values: ArrayBufferView): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): Float32Array | Int32Array | Uint8Array;
  executeOp(op: string, attributes: readonly OpAttribute[], inputs: readonly number[], outputs: number): TensorHandle[];
  loadSavedModel(folder: string, tags: string): number;
  /** Names are joined by commas: "node:0,other:1". */
  runSavedModel(id: number, inputs: readonly number[], inputNames: string, outputNames: string): TensorHandle[];
  isUsingGpuDevice(): boolean;
  readonly TF_FLOAT: number;
  readonly TF_INT32: number;
  readonly TF_Version: string;
}

/** NodeJSKernelBackend of tfjs-node. */
export interface NodeBackend extends tf.KernelBackend {
  binding: Binding;
  /** Uploads what is not on the device yet. */
  getInputTensorIds(tensors: readonly tf.TensorInfo[]): number[];
  /** Makes a tensor of the engine of what the binding gave. */
  createOutputTensor(handle: TensorHandle): tf.Tensor;
  applyActivation(x: tf.Tensor, activation?: string, preluWeights?: tf.Tensor, leakyreluAlpha?: number): tf.Tensor;
  executeSingleOutput(op: string, attributes: readonly OpAttribute[], inputs: readonly tf.TensorInfo[]): tf.Tensor;
}
