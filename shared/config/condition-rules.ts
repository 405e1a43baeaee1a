// What fits anything that a network is told of the images that it denoises: a field of `model`.

import type { NetworkName } from "../models/index.ts";
import { CHAIN, isChain } from "./chain-rules.ts";
import { quoted, type Rule, unless } from "./rule.ts";

/** @param readers networks that can be told of it. */
export const conditionRules = (
  field: "text" | "lowRes" | "embedding",
  readers: readonly NetworkName[],
): readonly Rule[] => [
  {
    path: ["model", field],
    faults: ({ model: { [field]: told, type } }) =>
      unless(
        told === undefined || readers.includes(type),
        () => `is not read by a ${type}; leave it out, or choose ${readers.join(" or ")}`,
      ),
    cel: {
      holds: `!has(self.model.${field}) || self.model.type in ${quoted(readers)}`,
      message: `'is not read by a %s; leave it out, or choose ${readers.join(" or ")}'.format([self.model.type])`,
    },
  },
  {
    path: ["model", field],
    faults: ({ model: { [field]: told }, diffusion: { process } }) =>
      unless(
        told === undefined || !isChain(process),
        () => `is not told to the steps of ${process}; leave it out, or choose another process`,
      ),
    cel: {
      holds: `!has(self.model.${field}) || !${CHAIN}`,
      message:
        "'is not told to the steps of %s; leave it out, or choose another process'.format([self.diffusion.process])",
    },
  },
];
