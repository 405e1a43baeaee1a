import type { WireCodec } from "./codec.ts";

/** Every bit: sums are rounded by float32 addition alone. */
export const float32: WireCodec = { about: "as they are", bytes: (floats) => 4 * floats, kernels: null };
