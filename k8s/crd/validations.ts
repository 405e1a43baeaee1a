// What an API server asks of a job beyond the types of its fields: the arithmetic between them, and that what decides a
// run's bits stays as it is.

import { type FieldRow, fieldRows } from "../../shared/config/fields.ts";
import { decidesBits } from "../../shared/config/identity.ts";
import { RULES } from "../../shared/config/rules.ts";
import type { Validation } from "./structural.ts";

/** Of the spec: every rule of the job's schema that spans fields, and one for each field that must not change. */
export const specValidations = (): Validation[] => [
  ...RULES.map(({ path, cel }) => forbidden(path.join("."), cel.holds, { messageExpression: cel.message })),
  ...SCALE,
  ...fieldRows()
    .filter(({ path }) => decidesBits(path))
    .map(unchanged),
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

/** A field without a default may be absent, and so may a group: given later, or taken away, it has changed too. */
function unchanged({ path, default: fallback, within }: FieldRow): Validation {
  const [is, was] = [`self.${path}`, `oldSelf.${path}`];
  const mayLack = [within, fallback === "" ? path : undefined].filter((part) => part !== undefined);
  const has = (self: string) => mayLack.map((part) => `has(${self}.${part})`).join(" && ");
  const [isThere, wasThere] = [bracketed(has("self"), mayLack), bracketed(has("oldSelf"), mayLack)];
  const rule = mayLack.length > 0 ? `${isThere} == ${wasThere} && (!${isThere} || ${is} == ${was})` : `${is} == ${was}`;
  return forbidden(path, rule, {
    message: `a run cannot go on with another ${path}: it decides the run's bits; apply a DiffusionJob of another name, with a checkpoint.store of its own`,
  });
}

const bracketed = (condition: string, parts: readonly unknown[]): string =>
  parts.length > 1 ? `(${condition})` : condition;
