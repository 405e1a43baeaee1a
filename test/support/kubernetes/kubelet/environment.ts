// A container's environment and command line, as the kubelet makes them of a pod: literals, fields, keys of maps, whole maps,
// and $(NAME) in what follows.

import type { Client } from "./client.ts";
import { type ContainerSpec, fieldOf, type Pod } from "./objects.ts";

/** What a container waits for is not there: the reason and message of its `waiting` state. */
export class NotYet extends Error {
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

interface DataObject {
  readonly data?: Readonly<Record<string, string>>;
}

/** @throws NotYet */
export async function dataOf(
  client: Client,
  kind: "configmaps" | "secrets",
  namespace: string,
  { name, optional = false }: { readonly name: string; readonly optional?: boolean | undefined },
): Promise<Readonly<Record<string, Buffer>> | null> {
  const object = await client.get<DataObject>(`/api/v1/namespaces/${namespace}/${kind}/${name}`);
  if (!object && optional) return null;
  if (!object) throw new NotYet("CreateContainerConfigError", `${kind.slice(0, -1)} "${name}" not found`);
  const encoding = kind === "secrets" ? "base64" : "utf8";
  return Object.fromEntries(
    Object.entries(object.data ?? {}).map(([key, value]) => [key, Buffer.from(value, encoding)]),
  );
}

/** @throws NotYet */
export async function environmentOf(
  client: Client,
  pod: Pod,
  { env = [], envFrom = [] }: ContainerSpec,
  ip: string,
  cluster: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const { namespace } = pod.metadata;
  const result: Record<string, string> = { ...cluster, HOSTNAME: pod.metadata.name };
  for (const { prefix = "", secretRef, configMapRef } of envFrom) {
    const data = secretRef
      ? await dataOf(client, "secrets", namespace, secretRef)
      : await dataOf(client, "configmaps", namespace, configMapRef!);
    for (const [key, value] of Object.entries(data ?? {})) result[prefix + key] = value.toString();
  }
  for (const { name, value, valueFrom } of env) {
    if (valueFrom === undefined) {
      result[name] = expand(value ?? "", result);
      continue;
    }
    const { fieldRef, secretKeyRef, configMapKeyRef } = valueFrom;
    if (fieldRef) {
      result[name] = fieldOf(pod, ip, fieldRef.fieldPath);
      continue;
    }
    const ref = secretKeyRef ?? configMapKeyRef!;
    const data = await dataOf(client, secretKeyRef ? "secrets" : "configmaps", namespace, ref);
    const found = data?.[ref.key];
    if (found) result[name] = found.toString();
    else if (!ref.optional)
      throw new NotYet("CreateContainerConfigError", `couldn't find key ${ref.key} in ${namespace}/${ref.name}`);
  }
  return result;
}

/** $(NAME) of what is known, $$ for a dollar; the rest as it is. */
export const expand = (text: string, environment: Readonly<Record<string, string>>): string =>
  text.replace(/\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)/g, (all, name) =>
    all === "$$" ? "$" : (environment[name] ?? all),
  );
