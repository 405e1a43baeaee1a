import type { WireCodec } from "./codec.ts";

/** The upper half of a float32, to nearest, ties to even: the exponent of a float32 with 8 significant bits. */
export const bfloat16: WireCodec = {
  about: "half the bytes",
  bytes: (floats) => 2 * floats,
  kernels: {
    round: ({ pointer, size }) => ["roundBfloat16", pointer, size],
    encode: ({ pointer, size }) => ["encodeBfloat16", pointer, size],
    decode: ({ pointer, size }) => ["decodeBfloat16", pointer, size],
  },
};
