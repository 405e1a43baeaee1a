// What a checkpoint consists of. A checkpoint without a valid manifest does not exist: the manifest is written last.

import { createHash } from "node:crypto";
import { z } from "zod";

export const MANIFEST = "manifest.json";
export const STATE = "state.json";
export const JOB = "job.yaml";

const partSchema = z.strictObject({
  key: z.string(),
  size: z.int().min(0),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** params, ema, moments.m ...; absent for state.json, job.yaml and what else is no vector. */
  vector: z.string().optional(),
  shard: z.int().min(0).optional(),
});

/** Lines of the run's ledger, [from, to) by step: an object beside the checkpoints' folders. */
const segmentSchema = z.strictObject({
  key: z.string(),
  from: z.int().min(0),
  to: z.int().min(1),
  size: z.int().min(0),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

/** The newest format that this plume reads, and the one that it writes. */
const FORMAT = 2;

const fields = {
  plume: z.string(),
  job: z.string(),
  step: z.int().min(0),
  /** Who wrote it: tells a retried write from another writer's. */
  writer: z.string(),
  parts: z.array(partSchema).min(1),
};
const sealed = z.string().regex(/^[0-9a-f]{64}$/);

/** `digest` is the sha256 of all the other fields, in this order, as JSON without spaces. */
const formats = {
  1: z.strictObject({ version: z.literal(1), ...fields, digest: z.string().optional() }),
  2: z.strictObject({
    version: z.literal(2),
    ...fields,
    /** The ledger up to this step, oldest first; empty where it does not travel with the checkpoint. */
    ledger: z.array(segmentSchema),
    digest: sealed,
  }),
} as const;

/** As format 2 has it; of format 1 the ledger is empty. */
export interface Manifest {
  readonly version: number;
  readonly plume: string;
  readonly job: string;
  readonly step: number;
  readonly writer: string;
  readonly parts: readonly Part[];
  readonly ledger: readonly LedgerSegment[];
}

export type Part = z.infer<typeof partSchema>;
export type LedgerSegment = z.infer<typeof segmentSchema>;

export const stateSchema = z.strictObject({
  /** Committed steps: the next one to compute. */
  step: z.int().min(0),
  epoch: z.int().min(0),
  cursor: z.int().min(0),
  seed: z.int().min(0),
  layoutDigest: z.string(),
  imageSet: z.strictObject({
    name: z.string(),
    size: z.int(),
    digest: z.string(),
    height: z.int(),
    width: z.int(),
    channels: z.int(),
    classes: z.array(z.string()),
  }),
});

export type CheckpointState = z.infer<typeof stateSchema>;

/** The file's bytes, sealed with the digest of what they say. */
export function encodeManifest(manifest: Omit<Manifest, "version">): Uint8Array {
  const { digest: _, ...fields } = formats[FORMAT].parse({ ...manifest, version: FORMAT, digest: "0".repeat(64) });
  return Buffer.from(`${JSON.stringify({ ...fields, digest: digestOf(fields) }, null, 2)}\n`);
}

const digestOf = (fields: object): string => sha256(Buffer.from(JSON.stringify(fields)));

/** @returns the manifest, or why these bytes are none of this step's. */
export function parseManifest(step: number, bytes: Uint8Array): Manifest | string {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (error) {
    return `is no JSON: ${(error as Error).message}`;
  }
  const version = versionOf(value);
  if (version > FORMAT) return `was written by a newer plume: format ${version}, this one reads up to ${FORMAT}`;
  // The order of the schema, so that the digest does not depend on the writer's.
  const parsed = formats[version as keyof typeof formats].safeParse(value);
  if (!parsed.success) return `is no valid manifest: ${firstIssue(parsed.error)}`;
  const { digest, ...fields } = parsed.data;
  if (digest !== undefined && digest !== digestOf(fields)) return "does not match its own digest";
  if (fields.step !== step) return `is the manifest of step ${fields.step}`;
  return { ...fields, ledger: "ledger" in fields ? fields.ledger : [] };
}

/** Whether only a newer plume can say what is in it: such a checkpoint is nobody's to remove. */
export function isNewerFormat(bytes: Uint8Array): boolean {
  try {
    return versionOf(JSON.parse(Buffer.from(bytes).toString("utf8"))) > FORMAT;
  } catch {
    return false;
  }
}

function versionOf(value: unknown): number {
  const version = (value as { version?: unknown } | null)?.version;
  return Number.isInteger(version) && (version as number) > 1 ? (version as number) : 1;
}

export const firstIssue = ({ issues: [issue] }: z.ZodError): string => `${issue?.path.join(".")}: ${issue?.message}`;

/** `step-000012000/`. */
export const prefixOf = (step: number): string => `step-${String(step).padStart(9, "0")}/`;

export const stepOfKey = (key: string): number | null => {
  const match = /^step-(\d{9,})\//.exec(key);
  return match ? Number(match[1]) : null;
};

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** `params-00000-of-00002.safetensors` with a piece of its digest: writers of other bytes never share a key. */
export function addressed(name: string, digest: string): string {
  const dot = name.lastIndexOf(".");
  return `${name.slice(0, dot)}-${digest.slice(0, DIGITS)}${name.slice(dot)}`;
}

const DIGITS = 12;

/** The name without the piece of a digest; format 1 has none. */
export const plainName = (key: string): string => key.replace(/-[0-9a-f]{12}(?=\.[a-z]+$)/, "");

/** state.json, job.yaml or another file of a checkpoint that is no part of a vector. */
export const partNamed = ({ parts }: Pick<Manifest, "parts">, name: string): Part | undefined =>
  parts.find(({ key, vector }) => vector === undefined && plainName(key) === name);

export const LEDGER = "ledger/";

export const segmentKey = (from: number, to: number, digest: string): string =>
  `${LEDGER}${addressed(`${from}-${to}.ndjson`, digest)}`;

/** The steps [from, to) that a key of a segment names, or null. */
export function stepsOfSegment(key: string): { readonly from: number; readonly to: number } | null {
  const match = /^ledger\/(\d+)-(\d+)-[0-9a-f]+\.ndjson$/.exec(key);
  return match ? { from: Number(match[1]), to: Number(match[2]) } : null;
}
