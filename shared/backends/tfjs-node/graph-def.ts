// TensorFlow's GraphDef in a SavedModel, as bytes: the messages of tensorflow/core/framework/{graph,node_def,attr_value,
// tensor,tensor_shape}.proto and tensorflow/core/protobuf/{saved_model,meta_graph}.proto, as far as a recorded graph
// needs them. Field numbers are theirs.

import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** DataType of types.proto. */
type DataType = number;

export type Attribute =
  | { readonly kind: "string"; readonly value: string | readonly string[] }
  | { readonly kind: "int"; readonly value: number | readonly number[] }
  | { readonly kind: "float"; readonly value: number | readonly number[] }
  | { readonly kind: "bool"; readonly value: boolean | readonly boolean[] }
  | { readonly kind: "type"; readonly value: DataType | readonly DataType[] }
  | { readonly kind: "shape"; readonly value: readonly number[] }
  | {
      readonly kind: "tensor";
      readonly dtype: DataType;
      readonly shape: readonly number[];
      readonly bytes: Uint8Array;
    };

export interface GraphNode {
  readonly name: string;
  readonly op: string;
  /** "name" for a node's first output, "name:k" for another. */
  readonly inputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** Of TensorFlow 2.21; older graphs are read by newer libraries. */
const PRODUCER = 1882;
const TAG = "serve";

type Write = (writer: BinaryWriter) => void;

export function savedModel(nodes: readonly GraphNode[]): Uint8Array {
  const graph: Write = (w) => {
    for (const node of nodes) message(w, 1, nodeDef(node));
    message(w, 4, (versions) => int(versions, 1, PRODUCER));
  };
  const metaGraph: Write = (w) => {
    message(w, 1, (info) => text(info, 4, TAG));
    message(w, 2, graph);
  };
  const writer = new BinaryWriter();
  int(writer, 1, 1);
  message(writer, 2, metaGraph);
  return writer.finish();
}

const nodeDef =
  ({ name, op, inputs, attributes }: GraphNode): Write =>
  (w) => {
    text(w, 1, name);
    text(w, 2, op);
    for (const input of inputs) text(w, 3, input);
    for (const [key, attribute] of Object.entries(attributes))
      message(w, 5, (entry) => {
        text(entry, 1, key);
        message(entry, 2, (value) => attrValue(value, attribute));
      });
  };

function attrValue(w: BinaryWriter, attribute: Attribute): void {
  if (attribute.kind === "shape") message(w, 7, shapeOf(attribute.value));
  else if (attribute.kind === "tensor") message(w, 8, tensorOf(attribute));
  else {
    const { value } = attribute;
    const put = SCALARS[attribute.kind] as (w: BinaryWriter, value: unknown) => void;
    if (!Array.isArray(value)) put(w, value);
    else
      message(w, 1, (list) => {
        for (const each of value) put(list, each);
      });
  }
}

const tensorOf =
  ({ dtype, shape, bytes }: Extract<Attribute, { kind: "tensor" }>): Write =>
  (w) => {
    int(w, 1, dtype);
    message(w, 2, shapeOf(shape));
    w.tag(4, WireType.LengthDelimited).bytes(bytes);
  };

/** In AttrValue and in its ListValue alike. */
const SCALARS = {
  string: (w: BinaryWriter, value: string) => text(w, 2, value),
  int: (w: BinaryWriter, value: number) => int(w, 3, value),
  float: (w: BinaryWriter, value: number) => void w.tag(4, WireType.Bit32).float(value),
  bool: (w: BinaryWriter, value: boolean) => void w.tag(5, WireType.Varint).bool(value),
  type: (w: BinaryWriter, value: DataType) => int(w, 6, value),
};

const shapeOf =
  (shape: readonly number[]): Write =>
  (w) => {
    for (const size of shape) message(w, 2, (dim) => int(dim, 1, size));
  };

function message(w: BinaryWriter, field: number, write: Write): void {
  w.tag(field, WireType.LengthDelimited).fork();
  write(w);
  w.join();
}

const text = (w: BinaryWriter, field: number, value: string): void =>
  void w.tag(field, WireType.LengthDelimited).string(value);
const int = (w: BinaryWriter, field: number, value: number): void => void w.tag(field, WireType.Varint).int64(value);
