// Watches one eager run of a computation at the door to TensorFlow, and writes down the graph that it walked: the same
// operations with the same attributes, parameters and fed values as placeholders, everything else as constants.

import type * as tf from "@tensorflow/tfjs-core";
import { invariant } from "../../invariant.ts";
import { type Computation, type Fed, type Feed, isTensor, valuesRead } from "../../nn/program.ts";
import type { Binding, NodeBackend, OpAttribute } from "./binding.ts";
import type { Attribute, GraphNode } from "./graph-def.ts";

interface FedValue {
  readonly name: string;
  readonly shape: readonly number[];
  /** TF_DataType. */
  readonly dtype: number;
  readonly make: () => Fed;
}

export interface Recording {
  readonly nodes: readonly GraphNode[];
  /** Placeholders of the parameters, in order. */
  readonly params: readonly string[];
  readonly feeds: readonly FedValue[];
  /** "node:output", in order. */
  readonly outputs: readonly string[];
}

/** Type attributes that tfjs-node does not name, and the input each is the type of. */
const LEFT_OUT: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  ExpandDims: { T: 0, Tdim: 1 },
};

/** By TF_AttrType of TensorFlow's C API. */
const KINDS = ["string", "int", "float", "bool", "type", "shape"] as const;

/** @param core the TensorFlow.js whose current backend is `backend`. */
export function record(
  core: Pick<typeof tf, "tidy" | "tensor" | "clone">,
  backend: NodeBackend,
  computation: Computation,
  params: readonly tf.Tensor[],
): Recording {
  const real = backend.binding;
  const nodes: GraphNode[] = [];
  const feeds: FedValue[] = [];
  /** What stands for a tensor of the device in the graph. */
  const names = new Map<number, string>();
  const dtypes = new Map<number, number>();
  /** Types that an eager operation reads off its inputs and tfjs-node therefore leaves out; a graph wants them said. */
  const inferred = (op: string, inputs: readonly number[]): Record<string, Attribute> =>
    Object.fromEntries(
      Object.entries(LEFT_OUT[op] ?? {}).map(([attribute, input]) => [
        attribute,
        { kind: "type", value: dtypes.get(inputs[input]!)! },
      ]),
    );
  /** Fed values that are not on the device yet: TensorFlow.js uploads at the first use. */
  const awaited = new Map<ArrayBufferView, string>();

  const placeholder = (name: string, dtype: number, shape: readonly number[]) => {
    const attributes: Record<string, Attribute> = {
      dtype: { kind: "type", value: dtype },
      shape: { kind: "shape", value: shape },
    };
    nodes.push({ name, op: "Placeholder", inputs: [], attributes });
  };

  const watching: Binding = {
    ...everythingOf(real),
    createTensor(shape, dtype, values) {
      const id = real.createTensor(shape, dtype, values);
      const fed = awaited.get(values);
      const name = fed ?? `constant_${nodes.length}`;
      names.set(id, name);
      dtypes.set(id, dtype);
      if (fed) return id;
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength).slice();
      nodes.push({
        name,
        op: "Const",
        inputs: [],
        attributes: {
          dtype: { kind: "type", value: dtype },
          value: { kind: "tensor", dtype, shape: [...shape], bytes },
        },
      });
      return id;
    },
    executeOp(op, attributes, inputs, outputs) {
      const handles = real.executeOp(op, attributes, inputs, outputs);
      const name = `${op}_${nodes.length}`;
      const from = inputs.map((id) => {
        const known = names.get(id);
        invariant(known, `every input of ${op} was made while recording, or is a parameter`);
        return known;
      });
      nodes.push({ name, op, inputs: from, attributes: { ...inferred(op, inputs), ...named(attributes) } });
      handles.forEach(({ id, dtype }, k) => {
        names.set(id, k === 0 ? name : `${name}:${k}`);
        dtypes.set(id, dtype);
      });
      return handles;
    },
    tensorDataSync() {
      throw valuesRead();
    },
  };

  const feed: Feed = (shape, dtype, make) => {
    const type = dtype === "float32" ? real.TF_FLOAT : real.TF_INT32;
    const name = `feed_${feeds.length}`;
    feeds.push({ name, shape, dtype: type, make });
    placeholder(name, type, shape);
    const fed = make();
    if (isTensor(fed)) {
      const [id] = backend.getInputTensorIds([fed]);
      names.set(id!, name);
      dtypes.set(id!, type);
      return core.clone(fed);
    }
    awaited.set(fed, name);
    return core.tensor(fed, [...shape], dtype);
  };

  const paramIds = backend.getInputTensorIds(params);
  params.forEach((param, k) => {
    placeholder(`param_${k}`, real.TF_FLOAT, param.shape);
    names.set(paramIds[k]!, `param_${k}`);
    dtypes.set(paramIds[k]!, real.TF_FLOAT);
  });
  let outputs: string[] = [];
  backend.binding = watching;
  try {
    core.tidy(() => {
      const ids = backend.getInputTensorIds(computation(feed, params));
      outputs = ids.map((id) => withOutput(names.get(id)!));
    });
  } finally {
    backend.binding = real;
  }
  return { nodes, params: params.map((_, k) => `param_${k}:0`), feeds, outputs };
}

/** The native object's properties are not enumerable. */
const everythingOf = (binding: Binding): Binding =>
  Object.fromEntries(
    Object.getOwnPropertyNames(binding).map((name) => [name, binding[name as keyof Binding]]),
  ) as unknown as Binding;

const withOutput = (name: string) => (name.includes(":") ? name : `${name}:0`);

const named = (attributes: readonly OpAttribute[]): Record<string, Attribute> =>
  Object.fromEntries(
    attributes.map(({ name, type, value }) => {
      const kind = KINDS[type];
      invariant(kind, `attribute ${name} is of a known type (${type})`);
      return [name, { kind, value } as Attribute];
    }),
  );
