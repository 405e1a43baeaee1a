// The wire dtypes of a job's gradients (training.wireDtype), and the codec of one run.

import type { Layout } from "../tensor/layout.ts";
import { bfloat16 } from "./bfloat16.ts";
import type { Place, TreeNode, WireCall, WireCodec } from "./codec.ts";
import { float32 } from "./float32.ts";
import { int8 } from "./int8.ts";

export const WIRE_DTYPES = { float32, bfloat16, int8 } satisfies Record<string, WireCodec>;
export type WireDtype = keyof typeof WIRE_DTYPES;

/** How the gradients of a run travel. */
export interface Wire {
  bytes(floats: number): number;
  round(at: Place, node: TreeNode): readonly WireCall[];
  encode(at: Place): readonly WireCall[];
  decode(at: Place): readonly WireCall[];
}

export function openWire({ wireDtype }: { readonly wireDtype: WireDtype }, seed: number): Wire {
  const { bytes, kernels }: WireCodec = WIRE_DTYPES[wireDtype];
  return {
    bytes,
    round: (at, node) => (kernels ? [kernels.round(at, node, seed)] : []),
    encode: (at) => (kernels ? [kernels.encode(at)] : []),
    decode: (at) => (kernels ? [kernels.decode(at)] : []),
  };
}

/** For vectors that go nowhere. */
export const EXACT = openWire({ wireDtype: "float32" }, 0);

/** Bytes of a whole vector on the wire. */
export const wireBytes = (wire: Wire, { shards }: Layout): number =>
  shards.reduce((sum, { size }) => sum + wire.bytes(size), 0);
