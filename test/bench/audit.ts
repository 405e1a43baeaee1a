// What an API server says that was asked of it (audit.k8s.io/v1), counted by verb and resource.

import { closeSync, fstatSync, openSync, readSync } from "node:fs";

interface AuditEvent {
  readonly stage: "ResponseStarted" | "ResponseComplete" | "Panic";
  readonly verb: string;
  readonly objectRef?: { readonly resource?: string; readonly subresource?: string };
}

/** Calls by "verb resource/subresource". */
export type Calls = Readonly<Record<string, number>>;

/** @param file that only grows. @returns what counts the calls since it was last called. */
export function auditReader(file: string): () => Calls {
  let read = 0;
  let rest = "";
  return () => {
    const descriptor = openSync(file, "r");
    const fresh = Buffer.alloc(fstatSync(descriptor).size - read);
    readSync(descriptor, fresh, 0, fresh.byteLength, read);
    closeSync(descriptor);
    read += fresh.byteLength;
    const lines = (rest + fresh.toString("utf8")).split("\n");
    rest = lines.pop()!;
    return counted(lines.filter(Boolean).map((line) => JSON.parse(line) as AuditEvent));
  };
}

function counted(events: readonly AuditEvent[]): Calls {
  const calls: Record<string, number> = {};
  for (const { stage, verb, objectRef } of events) {
    // A watch is one call, and was made when it began.
    if (stage !== (verb === "watch" ? "ResponseStarted" : "ResponseComplete")) continue;
    const { resource = "?", subresource } = objectRef ?? {};
    const what = `${verb} ${resource}${subresource ? `/${subresource}` : ""}`;
    calls[what] = (calls[what] ?? 0) + 1;
  }
  return calls;
}

export const total = (calls: Calls): number => Object.values(calls).reduce((sum, count) => sum + count, 0);

const WRITES = /^(create|update|patch|delete)/;

/** Calls that change something, the operators' own lease not counted. */
export const writes = (calls: Calls): Calls =>
  Object.fromEntries(Object.entries(calls).filter(([what]) => WRITES.test(what) && !what.endsWith(" leases")));
