// Does an object still say what the operator applied? Pure, and without a schema: the API server notes which fields a manager
// owns, so that what it filled in itself, and what others added beside ours, is no difference.
//
// I1. Equal means: an apply would change nothing. A field that we own and want no more is a difference too.

import type { FieldSet, KubernetesObject, ManagedFields } from "./objects.ts";
import { sameQuantity } from "./quantity.ts";

export const MANAGER = "plume-operator";

/** What an apply does not own. */
const IDENTITY = new Set(["apiVersion", "kind"]);
const NAMES = new Set(["name", "namespace"]);

/**
 * @returns the path of the first field that differs; null when none does. Of the same two objects it is known the second time:
 * neither may have changed since.
 */
export function driftOf(desired: KubernetesObject, observed: KubernetesObject): string | null {
  const before = compared.get(observed);
  if (before?.desired === desired) return before.drift;
  const drift = compare(desired, observed);
  compared.set(observed, { desired, drift });
  return drift;
}

const compared = new WeakMap<KubernetesObject, { readonly desired: KubernetesObject; readonly drift: string | null }>();

function compare(desired: KubernetesObject, observed: KubernetesObject): string | null {
  const owned = observed.metadata.managedFields?.find(isOwnApply)?.fieldsV1;
  if (!owned) return "metadata.managedFields";
  const { metadata, ...rest } = desired;
  const wanted = {
    ...Object.fromEntries(Object.entries(rest).filter(([key]) => !IDENTITY.has(key))),
    metadata: Object.fromEntries(Object.entries(metadata).filter(([key]) => !NAMES.has(key))),
  };
  return mapDrift(wanted, observed as unknown as Fields, owned, "");
}

/** What the operator itself applied. */
export const isOwnApply = ({ manager, operation, subresource }: ManagedFields): boolean =>
  manager === MANAGER && operation === "Apply" && !subresource;

type Fields = Readonly<Record<string, unknown>>;

function mapDrift(wanted: Fields, is: Fields, owned: FieldSet, path: string): string | null {
  for (const [name, value] of Object.entries(wanted)) {
    if (isEmpty(value)) continue;
    const at = path ? `${path}.${name}` : name;
    const field = owned[`f:${name}`];
    if (field === undefined || isEmpty(is[name])) return at;
    const drift = valueDrift(value, is[name], field, at);
    if (drift) return drift;
  }
  const surplus = Object.keys(owned).find((key) => key.startsWith("f:") && wanted[key.slice(2)] === undefined);
  return surplus ? `${path}.${surplus.slice(2)}` : null;
}

function valueDrift(wanted: unknown, is: unknown, owned: FieldSet, path: string): string | null {
  if (Object.keys(owned).every((key) => key === ".")) return covers(wanted, is) ? null : path;
  if (Array.isArray(wanted)) return listDrift(wanted, Array.isArray(is) ? is : [], owned, path);
  return mapDrift(wanted as Fields, (is ?? {}) as Fields, owned, path);
}

/** A list whose items have keys, or that is a set. */
function listDrift(wanted: readonly unknown[], is: readonly unknown[], owned: FieldSet, path: string): string | null {
  let matched = 0;
  for (const [key, field] of Object.entries(owned)) {
    if (key === ".") continue;
    const item = wanted.find((each) => isAt(key, each));
    const twin = is.find((each) => isAt(key, each));
    if (item === undefined || twin === undefined) return `${path}[${key.slice(2)}]`;
    matched++;
    const drift = key.startsWith("k:") ? valueDrift(item, twin, field, `${path}[${key.slice(2)}]`) : null;
    if (drift) return drift;
  }
  return matched === wanted.length ? null : path;
}

function isAt(key: string, item: unknown): boolean {
  const value = JSON.parse(key.slice(2)) as unknown;
  if (key.startsWith("v:")) return JSON.stringify(item) === JSON.stringify(value);
  const fields = item as Fields;
  return Object.entries(value as Fields).every(([name, part]) => fields[name] === undefined || fields[name] === part);
}

/** All that is wanted is there; what was filled in beside it is no matter, but a list has no items more. */
function covers(wanted: unknown, is: unknown): boolean {
  if (isEmpty(wanted) && isEmpty(is)) return true;
  if (Array.isArray(wanted))
    return Array.isArray(is) && is.length === wanted.length && wanted.every((item, index) => covers(item, is[index]));
  if (typeof wanted === "object" && wanted !== null)
    return (
      typeof is === "object" &&
      is !== null &&
      Object.entries(wanted).every(([name, value]) => covers(value, (is as Fields)[name]))
    );
  return wanted === is || sameQuantity(wanted, is);
}

/** What an apply leaves out, or the server does. */
function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}
