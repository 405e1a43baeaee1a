// The fields of a job, walked out of the schema: for suggestions, the reference table, and --help.

import { z } from "zod";
import { jobSchema } from "./schema.ts";

interface JsonSchema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly default?: unknown;
  readonly description?: string;
}

const root = z.toJSONSchema(jobSchema, { io: "input", unrepresentable: "any" }) as JsonSchema;

export interface FieldRow {
  /** Dotted path below spec. */
  readonly path: string;
  readonly type: string;
  readonly default: string;
  readonly meaning: string;
  /** Path of the group around it that a job may lack. */
  readonly within?: string;
}

/** Names of the fields at a path of the job; empty when it is no group. */
export const fieldNames = (path: readonly PropertyKey[]): string[] => Object.keys(nodeAt(path)?.properties ?? {});

/** "integer", "string", "eps | x0 | v", "integer[]"; undefined for a path of no field. */
export function fieldType(path: readonly PropertyKey[]): string | undefined {
  const node = nodeAt(path);
  return node && typeOf(node);
}

const nodeAt = (path: readonly PropertyKey[]): JsonSchema | undefined =>
  path.reduce<JsonSchema | undefined>(
    (node, key) => (typeof key === "number" ? node?.items : node?.properties?.[String(key)]),
    root,
  );

/** Every field below spec, in order. */
export function fieldRows(): FieldRow[] {
  const rows: FieldRow[] = [];
  const walk = (node: JsonSchema, path: string, required: boolean, within?: string) => {
    if (node.properties) {
      const group = required || node.default !== undefined ? within : path;
      for (const [name, child] of Object.entries(node.properties))
        walk(child, path ? `${path}.${name}` : name, node.required?.includes(name) ?? false, group);
      return;
    }
    const fallback = node.default === undefined ? (required ? "required" : "") : JSON.stringify(node.default);
    const meaning = node.description ?? "";
    rows.push({ path, type: typeOf(node), default: fallback, meaning, ...(within === undefined ? {} : { within }) });
  };
  walk(root.properties!.spec!, "", true);
  return rows;
}

function typeOf(node: JsonSchema): string {
  if (node.enum) return node.enum.map(String).join(" | ");
  if (node.const !== undefined) return String(node.const);
  if (node.anyOf) return node.anyOf.map(typeOf).join(" | ");
  if (node.type === "array") return `${typeOf(node.items ?? {})}[]`;
  return node.type ?? "any";
}
