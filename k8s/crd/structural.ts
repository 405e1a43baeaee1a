// From a zod schema to the form that Kubernetes asks of a CRD: structural OpenAPI v3. What JSON Schema says and that form
// cannot (no field but these, one of these constants, greater than) is said in its own words.

import { z } from "zod";
import { invariant } from "../../shared/invariant.ts";

/** A rule that an API server evaluates, in CEL. */
export interface Validation {
  readonly rule: string;
  readonly message?: string;
  readonly messageExpression?: string;
  readonly fieldPath?: string;
  readonly reason?: "FieldValueInvalid" | "FieldValueForbidden";
}

export interface Structural {
  readonly type?: string;
  readonly format?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Structural>>;
  readonly required?: readonly string[];
  readonly items?: Structural;
  readonly additionalProperties?: Structural;
  readonly "x-kubernetes-validations"?: readonly Validation[];
  readonly [keyword: string]: unknown;
}

/** Words that mean the same in both. */
const SAME = [
  "type",
  "format",
  "enum",
  "default",
  "minimum",
  "maximum",
  "minLength",
  "maxLength",
  "minItems",
  "maxItems",
  "pattern",
  "required",
] as const;

/** Words that the conversion has an answer to. Anything else is a new construct of the schema, which must not get lost. */
const ANSWERED = new Set<string>([
  ...SAME,
  "$schema",
  "description",
  "properties",
  "items",
  "additionalProperties",
  "propertyNames",
  "anyOf",
  "const",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "x-kubernetes-validations",
]);

type Json = z.core.JSONSchema.BaseSchema;

/** What a writer may leave out is optional, and has its default. */
export function structuralOf(schema: z.ZodType): Structural {
  const json = z.toJSONSchema(schema, {
    io: "input",
    override: ({ zodSchema, jsonSchema }) => sayPatternsInWords(zodSchema, jsonSchema),
  });
  return convert(json, "");
}

/** A pattern that comes with a message becomes a rule with that message: the pattern's own is the regular expression. */
function sayPatternsInWords(zodSchema: z.core.$ZodTypes, json: Json): void {
  const checks = "checks" in zodSchema._zod.def ? (zodSchema._zod.def.checks ?? []) : [];
  const rules = checks.flatMap((check) => {
    const { pattern, error } = check._zod.def as { pattern?: RegExp; error?: z.core.$ZodErrorMap<never> };
    const message = pattern && error?.({} as never);
    return typeof message === "string" ? [matching(pattern!, message)] : [];
  });
  if (rules.length === 0) return;
  delete json.pattern;
  delete json.allOf;
  Object.assign(json, { "x-kubernetes-validations": rules });
}

/** Says the value, unless it may hold a password: what stands before an @. */
const matching = ({ source }: RegExp, message: string): Validation => ({
  rule: `self.matches(r'${source}')`,
  messageExpression: `(self.contains('@') ? '' : '"' + self + '" ') + ${JSON.stringify(message)}`,
  // A server shows the value of a rule that it calls invalid as "string".
  reason: "FieldValueForbidden",
});

function convert(json: Json, path: string): Structural {
  for (const word of Object.keys(json))
    invariant(ANSWERED.has(word), `${path} says ${word}, which the CRD's generator does not know`);
  return {
    ...(json.description !== undefined && { description: json.description }),
    ...typed(json, path),
    ...Object.fromEntries(SAME.filter((word) => word in json && word !== "type").map((word) => [word, json[word]])),
    ...(json.type === "integer" && { format: "int64" }),
    ...(json.const !== undefined && { enum: [json.const] }),
    ...(json.exclusiveMinimum !== undefined && { minimum: json.exclusiveMinimum, exclusiveMinimum: true }),
    ...(json.exclusiveMaximum !== undefined && { maximum: json.exclusiveMaximum, exclusiveMaximum: true }),
    ...(json.items && { items: convert(json.items as Json, `${path}[]`) }),
    ...inside(json, path),
    ...("x-kubernetes-validations" in json && { "x-kubernetes-validations": json["x-kubernetes-validations"] }),
  } as Structural;
}

function typed({ type, anyOf, ...json }: Json, path: string): Structural {
  if (typeof type === "string") return { type };
  invariant(anyOf !== undefined, `${path} has no type: ${JSON.stringify(json)}`);
  const kinds = anyOf as Json[];
  if (kinds.every((kind) => kind.const !== undefined)) {
    const constants = kinds.map((kind) => kind.const);
    const number = constants.every(Number.isInteger);
    return { type: number ? "integer" : "string", ...(number && { format: "int64" }), enum: constants };
  }
  const names = kinds.map((kind) => kind.type).sort();
  invariant(names.join() === "integer,string", `${path} is one of ${names.join()}: a CRD has no such type`);
  const [{ pattern } = {}] = kinds.filter((kind) => kind.type === "string");
  const [{ minimum } = {}] = kinds.filter((kind) => kind.type === "integer");
  const bounds = { ...(pattern && { pattern }), ...(minimum !== undefined && { minimum }) };
  return { anyOf: [{ type: "integer" }, { type: "string" }], ...bounds, "x-kubernetes-int-or-string": true };
}

function inside({ properties, additionalProperties }: Json, path: string): Structural {
  if (properties)
    return {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, child]) => [name, convert(child as Json, `${path}.${name}`)]),
      ),
    };
  if (typeof additionalProperties !== "object") return {};
  // Whatever there is.
  if (Object.keys(additionalProperties).length === 0) return { "x-kubernetes-preserve-unknown-fields": true };
  return { additionalProperties: convert(additionalProperties, `${path}.*`) };
}
