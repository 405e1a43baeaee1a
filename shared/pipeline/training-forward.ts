import * as tf from "@tensorflow/tfjs-core";
import type { Forward } from "../nn/network.ts";
import type { Feed } from "../nn/program.ts";
import { PURPOSE, uniforms } from "../rng/stream.ts";

/** Which micro-batch it is. */
interface Drawn {
  readonly step: number;
  readonly index: number;
}

/** Dropout masks come from the counter-based generator, one stretch of the stream a call, in call order. */
export function trainingForward(param: Forward["param"], feed: Feed, seed: number, drawn: () => Drawn): Forward {
  let used = 0;
  return {
    param,
    dropout(x, rate) {
      const from = used;
      used += x.size;
      const mask = () => {
        const { step, index } = drawn();
        const u = uniforms({ seed, purpose: PURPOSE.dropout, step, index }, x.size, from);
        return Float32Array.from(u, (value) => (value < rate ? 0 : 1 / (1 - rate)));
      };
      return tf.mul(x, feed(x.shape, "float32", mask)) as typeof x;
    },
  };
}
