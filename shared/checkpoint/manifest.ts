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
  /** params, ema, moments.m ...; absent for state.json and job.yaml. */
  vector: z.string().optional(),
  shard: z.int().min(0).optional(),
});

const manifestSchema = z.strictObject({
  version: z.literal(1),
  plume: z.string(),
  job: z.string(),
  step: z.int().min(0),
  /** Who wrote it: tells a retried write from another writer's. */
  writer: z.string(),
  parts: z.array(partSchema).min(1),
  /** sha256 of all the fields above, as JSON without spaces. */
  digest: z.string().optional(),
});

export type Manifest = z.infer<typeof manifestSchema>;
export type Part = z.infer<typeof partSchema>;

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
export function encodeManifest({ digest: _, ...given }: Manifest): Uint8Array {
  const fields = manifestSchema.parse(given); // in the order in which they are digested, for other readers
  return Buffer.from(`${JSON.stringify({ ...fields, digest: digestOf(fields) }, null, 2)}\n`);
}

/** In the schema's order of fields, so that it does not depend on the writer's. */
const digestOf = (fields: Omit<Manifest, "digest">): string =>
  sha256(Buffer.from(JSON.stringify(manifestSchema.parse(fields))));

/** @returns the manifest, or why these bytes are none of this step's. */
export function parseManifest(step: number, bytes: Uint8Array): Manifest | string {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (error) {
    return `is no JSON: ${(error as Error).message}`;
  }
  const parsed = manifestSchema.safeParse(value);
  if (!parsed.success) return `is no valid manifest: ${firstIssue(parsed.error)}`;
  const { digest, ...fields } = parsed.data;
  if (digest !== undefined && digest !== digestOf(fields)) return "does not match its own digest";
  return fields.step === step ? parsed.data : `is the manifest of step ${fields.step}`;
}

export const firstIssue = ({ issues: [issue] }: z.ZodError): string => `${issue?.path.join(".")}: ${issue?.message}`;

/** `step-000012000/`. */
export const prefixOf = (step: number): string => `step-${String(step).padStart(9, "0")}/`;

export const stepOfKey = (key: string): number | null => {
  const match = /^step-(\d{9,})\//.exec(key);
  return match ? Number(match[1]) : null;
};

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
