// The binary heartbeat of Sohl-Dickstein et al. 2015, Sec. 3.1.2: 20 bits with a pulse every fifth, one of five phases, so that a
// sequence holds log2 5 bits of 20.

import { memorySet } from "../memory-set.ts";
import { countOf, numbersOf } from "./drawn.ts";
import type { Source } from "./source.ts";

const [BITS, PERIOD] = [20, 5];

export const heartbeat: Source = {
  usage: "heartbeat:[COUNT]",
  about: "20 bits with a pulse every fifth, as images of one row; needs no file",
  bits: true,
  async open(argument, { split }) {
    const count = countOf("heartbeat", argument, 1000);
    const pixels = new Uint8Array(count * BITS);
    for (let k = 0; k < count; k++) {
      const phase = Math.floor(numbersOf(k, 1, split)[0]! * PERIOD);
      for (let i = phase; i < BITS; i += PERIOD) pixels[k * BITS + i] = 255;
    }
    return memorySet({
      name: `heartbeat:${count}`,
      pixels,
      labels: null,
      height: 1,
      width: BITS,
      channels: 1,
      classes: [],
    });
  },
};
