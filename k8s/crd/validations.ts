// What an API server asks of a job beyond the types of its fields: the arithmetic between them, and that what decides a
// run's bits stays as it is.

import { fieldRows } from "../../shared/config/fields.ts";
import { decidesBits } from "../../shared/config/identity.ts";
import { RULES } from "../../shared/config/rules.ts";
import type { Validation } from "./structural.ts";

/** Of the spec: every rule of the job's schema that spans fields, and one for each field that must not change. */
export const specValidations = (): Validation[] => [
  ...RULES.map(({ path, cel }) => ({
    rule: cel.holds,
    messageExpression: cel.message,
    fieldPath: `.${path.join(".")}`,
  })),
  ...fieldRows()
    .filter(({ path }) => decidesBits(path))
    .map((row) => unchanged(row.path, row.default === "")),
];

/** A field without a default may be absent: given later, or taken away, it has changed too. */
function unchanged(path: string, optional: boolean): Validation {
  const [is, was] = [`self.${path}`, `oldSelf.${path}`];
  return {
    rule: optional ? `has(${is}) == has(${was}) && (!has(${is}) || ${is} == ${was})` : `${is} == ${was}`,
    message: immutableMessage(path),
    fieldPath: `.${path}`,
    reason: "FieldValueForbidden",
  };
}

export const immutableMessage = (path: string): string =>
  `a run cannot go on with another ${path}: it decides the run's bits; apply a DiffusionJob of another name, with a checkpoint.store of its own`;
