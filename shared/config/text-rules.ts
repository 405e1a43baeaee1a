// Rules of captions as a condition.

import { SCENES, SOURCES } from "../data/sources/index.ts";
import { ALWAYS_READ, READERS } from "../models/index.ts";
import { conditionRules } from "./condition-rules.ts";
import { quoted, type Rule, unless } from "./rule.ts";

const CAPTIONED = Object.keys(SOURCES).filter((name) => SOURCES[name]!.captioned);
const OF_CAPTIONS = `^(${CAPTIONED.join("|")})(:|$)`;
const OF_SCENES = `^(${SCENES.join("|")})(:|$)`;

/** Networks that may read the words of a frozen encoder. */
const GIVEN_WORDS = READERS.filter((name) => !ALWAYS_READ.includes(name)).join(", ");

export const TEXT_RULES: readonly Rule[] = [
  ...conditionRules("text", READERS),
  {
    path: ["model", "text", "heads"],
    faults: ({ model: { text } }) =>
      unless(
        text === undefined || text.width % text.heads === 0,
        () => `${text!.heads} does not divide the width ${text!.width}; choose a divisor`,
      ),
    cel: {
      holds: "!has(self.model.text) || self.model.text.heads < 1 || self.model.text.width % self.model.text.heads == 0",
      message:
        "'%d does not divide the width %d; choose a divisor'.format([self.model.text.heads, self.model.text.width])",
    },
  },
  {
    path: ["model", "classes"],
    faults: ({ model: { text, classes } }) =>
      unless(
        text === undefined || classes === 0,
        () => `${classes} beside model.text would be a second condition; set it to 0, or leave text out`,
      ),
    cel: {
      holds: "!has(self.model.text) || self.model.classes == 0",
      message:
        "'%d beside model.text would be a second condition; set it to 0, or leave text out'.format([self.model.classes])",
    },
  },
  {
    path: ["models", "classifier"],
    faults: ({ models: { classifier }, model: { text } }) =>
      unless(
        classifier === undefined || text === undefined,
        () => "beside model.text would be a second condition; leave one of them out",
      ),
    cel: {
      holds: "!has(self.models.classifier) || !has(self.model.text)",
      message: "'beside model.text would be a second condition; leave one of them out'",
    },
  },
  {
    path: ["models", "text"],
    faults: ({ models, model: { type, text } }) =>
      unless(
        models.text === undefined || (text !== undefined && !ALWAYS_READ.includes(type)),
        () => `is read by model.text of ${GIVEN_WORDS}; set its width to the encoder's channels, or take it out`,
      ),
    cel: {
      holds: `!has(self.models.text) || (has(self.model.text) && !(self.model.type in ${quoted(ALWAYS_READ)}))`,
      message: `'is read by model.text of ${GIVEN_WORDS}; set its width to the encoder\\'s channels, or take it out'`,
    },
  },
  {
    path: ["data", "source"],
    faults: ({ data: { source }, model: { text } }) =>
      unless(
        text === undefined || new RegExp(OF_CAPTIONS).test(source),
        () => `has no captions, which model.text reads; choose ${CAPTIONED.join(", ")}`,
      ),
    cel: {
      holds: `!has(self.model.text) || self.data.source.matches('${OF_CAPTIONS}')`,
      message: `'has no captions, which model.text reads; choose ${CAPTIONED.join(", ")}'`,
    },
  },
  {
    path: ["data", "source"],
    faults: ({ data: { source }, model: { text }, models }) =>
      unless(
        text === undefined ||
          models.text !== undefined ||
          new RegExp(OF_SCENES).test(source) ||
          !new RegExp(OF_CAPTIONS).test(source),
        () =>
          `has captions of any words, which need a text encoder; name one in models.text, or choose ${SCENES.join(", ")}`,
      ),
    cel: {
      holds: `!has(self.model.text) || has(self.models.text) || self.data.source.matches('${OF_SCENES}') || !self.data.source.matches('${OF_CAPTIONS}')`,
      message: `'has captions of any words, which need a text encoder; name one in models.text, or choose ${SCENES.join(", ")}'`,
    },
  },
  {
    path: ["sampling", "prompts"],
    faults: ({ sampling: { prompts }, model: { text }, models: { prior } }) =>
      unless(
        prompts === undefined || text !== undefined || prior !== undefined,
        () => "are read by a network with model.text, or by models.prior; set one of them, or leave them out",
      ),
    cel: {
      holds: "!has(self.sampling.prompts) || has(self.model.text) || has(self.models.prior)",
      message: "'are read by a network with model.text, or by models.prior; set one of them, or leave them out'",
    },
  },
  {
    path: ["data", "flip"],
    faults: ({ data: { flip }, model: { text } }) =>
      unless(text === undefined || !flip, () => `${flip} makes captions wrong that say left or right; set it to false`),
    cel: {
      holds: "!has(self.model.text) || !self.data.flip",
      message: "'true makes captions wrong that say left or right; set it to false'",
    },
  },
  {
    path: ["data", "augment"],
    faults: ({ data: { augment }, model: { text } }) =>
      unless(
        text === undefined || augment === 0,
        () => `${augment} makes captions wrong that say where things are; set it to 0`,
      ),
    cel: {
      holds: "!has(self.model.text) || self.data.augment == 0.0",
      message: "'%s makes captions wrong that say where things are; set it to 0'.format([self.data.augment])",
    },
  },
];
