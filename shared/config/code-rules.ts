// Rules of codes that are drawn one by one, and of the dvae whose codes they are.

import { drawsCodes, drawsImageCodes, NETWORK_NAMES } from "../models/index.ts";
import { quoted, type Rule, unless } from "./rule.ts";

const DRAWS_CODES = `self.model.type in ${quoted(NETWORK_NAMES.filter(drawsCodes))}`;
const DRAWERS = NETWORK_NAMES.filter(drawsImageCodes);
const OF_DVAE = `self.model.type in ${quoted(DRAWERS)}`;

/** @param format of the value in CEL. */
const ofCodes = (field: "temperature" | "topK", format: "%s" | "%d"): Rule => ({
  path: ["sampling", field],
  faults: ({ model: { type }, sampling: { [field]: value } }) =>
    unless(
      value === undefined || drawsCodes(type),
      () => `${value} is of codes that are drawn one by one, which a ${type} does not; leave it out`,
    ),
  cel: {
    holds: `!has(self.sampling.${field}) || ${DRAWS_CODES}`,
    message: `'${format} is of codes that are drawn one by one, which a %s does not; leave it out'.format([self.sampling.${field}, self.model.type])`,
  },
});

export const CODE_RULES: readonly Rule[] = [
  {
    path: ["models", "dvae"],
    faults: ({ model: { type }, models: { dvae } }) =>
      unless(
        dvae !== undefined || !drawsImageCodes(type),
        () => `is whose codes a ${type} draws; set models.dvae.from to a trained dvae`,
      ),
    cel: {
      holds: `has(self.models.dvae) || !(${OF_DVAE})`,
      message: "'is whose codes a %s draws; set models.dvae.from to a trained dvae'.format([self.model.type])",
    },
  },
  {
    path: ["models", "dvae"],
    faults: ({ model: { type }, models: { dvae } }) =>
      unless(
        dvae === undefined || drawsImageCodes(type),
        () => `has codes, which a ${type} does not draw; leave it out, or choose ${DRAWERS.join(" or ")}`,
      ),
    cel: {
      holds: `!has(self.models.dvae) || ${OF_DVAE}`,
      message: `'has codes, which a %s does not draw; leave it out, or choose ${DRAWERS.join(" or ")}'.format([self.model.type])`,
    },
  },
  ofCodes("temperature", "%s"),
  ofCodes("topK", "%d"),
];
