// What an API server asks of a job beyond the types of its fields: the arithmetic between them, and that what decides a
// run's bits stays as it is.

import { fieldRows } from "../../shared/config/fields.ts";
import { decidesBits } from "../../shared/config/identity.ts";
import { RULES } from "../../shared/config/rules.ts";
import type { Validation } from "./structural.ts";

/** Of the spec: every rule of the job's schema that spans fields, and one for each field that must not change. */
export const specValidations = (): Validation[] => [
  ...RULES.map(({ path, cel }) => forbidden(path.join("."), cel.holds, { messageExpression: cel.message })),
  ...SCALE,
  ...fieldRows()
    .filter(({ path }) => decidesBits(path))
    .map((row) => unchanged(row.path, row.default === "")),
];

/** A value that would do beside other values: Kubernetes calls it forbidden, and then does not show it as "object". */
const forbidden = (
  path: string,
  rule: string,
  message: { readonly message: string } | { readonly messageExpression: string },
): Validation => ({ rule, ...message, fieldPath: `.${path}`, reason: "FieldValueForbidden" });

/** What kubectl scale may ask for: as plume ctl scale, which knows the job at work. A new job below min waits. */
const SCALE = [
  forbidden("workers.replicas", "self.workers.replicas >= 1", {
    message: "0 workers train nothing; set suspend to true to give everything back and go on later",
  }),
  forbidden(
    "workers.replicas",
    "self.workers.replicas >= self.workers.min || self.workers.replicas == oldSelf.workers.replicas || self.workers.replicas == 0",
    {
      messageExpression:
        "'%d is below workers.min %d, where the job waits; choose more, or lower min'.format([self.workers.replicas, self.workers.min])",
    },
  ),
];

/** A field without a default may be absent: given later, or taken away, it has changed too. */
function unchanged(path: string, optional: boolean): Validation {
  const [is, was] = [`self.${path}`, `oldSelf.${path}`];
  const rule = optional ? `has(${is}) == has(${was}) && (!has(${is}) || ${is} == ${was})` : `${is} == ${was}`;
  return forbidden(path, rule, {
    message: `a run cannot go on with another ${path}: it decides the run's bits; apply a DiffusionJob of another name, with a checkpoint.store of its own`,
  });
}
