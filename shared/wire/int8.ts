// int8 with one power of two a block of 256 values, as the microscaling formats have it (Open Compute Project, OCP
// Microscaling Formats 1.0, MXINT8, whose blocks are 32 long). Rounding is stochastic, unbiased to 2^-17 of a step, and
// draws from the counter-based generator: error feedback would keep state in a worker, which dies.

import { PURPOSE, seedWords } from "../rng/stream.ts";
import { nodeNumber } from "../tensor/tree.ts";
import type { WireCodec } from "./codec.ts";

const BLOCK = 256;

export const int8: WireCodec = {
  about: "a quarter of the bytes, in blocks of 256 with stochastic rounding",
  bytes: (floats) => floats + Math.ceil(floats / BLOCK),
  kernels: {
    round({ pointer, size, offset }, { step, block }, seed) {
      // The stream {seed, wire, step, node} from its counter block `offset` on: shards take less of it than they are long.
      const { low, high } = seedWords(seed);
      return ["roundInt8", pointer, size, offset, nodeNumber(block), step, PURPOSE.wire, low, high];
    },
    encode: ({ pointer, size }) => ["encodeInt8", pointer, size],
    decode: ({ pointer, size }) => ["decodeInt8", pointer, size],
  },
};
