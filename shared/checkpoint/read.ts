// Reading checkpoints: only those with a valid manifest exist, and every byte is verified before it is used.

import { parseJob } from "../config/load.ts";
import type { Job } from "../config/schema.ts";
import { PlumeError } from "../errors.ts";
import type { ObjectStore } from "../store/object-store.ts";
import type { Layout } from "../tensor/layout.ts";
import {
  type CheckpointState,
  firstIssue,
  JOB,
  MANIFEST,
  type Manifest,
  type Part,
  parseManifest,
  prefixOf,
  STATE,
  sha256,
  stateSchema,
  stepOfKey,
} from "./manifest.ts";
import { decodeSafetensors } from "./safetensors.ts";

export interface ListedCheckpoint {
  readonly step: number;
  readonly prefix: string;
  readonly manifest: Manifest;
  readonly bytes: number;
}

/** Every checkpoint that exists, oldest first. `onInvalid` hears of manifests that are there and cannot be read. */
export async function listCheckpoints(
  store: ObjectStore,
  onInvalid: (step: number, reason: string) => void = () => {},
): Promise<ListedCheckpoint[]> {
  const found: ListedCheckpoint[] = [];
  for await (const { key } of store.list("step-")) {
    const step = stepOfKey(key);
    if (step === null || key !== prefixOf(step) + MANIFEST) continue;
    const bytes = await store.get(key).catch((error: unknown) => {
      if (error instanceof PlumeError && error.code === "NOT_FOUND") return null; // removed since it was listed
      throw error;
    });
    if (!bytes) continue;
    const manifest = parseManifest(step, bytes);
    if (typeof manifest === "string") onInvalid(step, `${store.url}/${key} ${manifest}`);
    else found.push({ step, prefix: prefixOf(step), manifest, bytes: sizeOf(manifest) });
  }
  return found.sort((a, b) => a.step - b.step);
}

const sizeOf = (manifest: Manifest): number => manifest.parts.reduce((sum, part) => sum + part.size, 0);

export interface Checkpoint {
  readonly state: CheckpointState;
  readonly job: Job;
  /** By vector name, then by tensor name: "params", "ema", "moments.m". */
  readonly vectors: Readonly<Record<string, ReadonlyMap<string, Float32Array>>>;
}

export interface ReadOptions {
  /** What the reader wants to put the tensors into; checked before anything is returned. */
  readonly layout?: Layout;
  /** Vectors to read; all when absent. */
  readonly vectors?: readonly string[];
  /** With "latest": a newer checkpoint was passed over because it is not whole. */
  readonly onSkipped?: (step: number, reason: string) => void;
}

/** @throws PlumeError NOT_FOUND, DATA_LOSS naming the part, FAILED_PRECONDITION for another model's checkpoint. */
export async function readCheckpoint(
  store: ObjectStore,
  which: "latest" | number,
  options: ReadOptions = {},
): Promise<Checkpoint> {
  const invalid: { step: number; reason: string }[] = [];
  const all = await listCheckpoints(store, (step, reason) => invalid.push({ step, reason }));
  if (which !== "latest") {
    const listed = all.find(({ step }) => step === which);
    if (listed) return load(store, listed, options);
    const torn = invalid.find(({ step }) => step === which);
    if (torn) throw new PlumeError("DATA_LOSS", torn.reason, { remedy: stepsOf(all) });
    throw new PlumeError("NOT_FOUND", `${store.url} has no checkpoint of step ${which}`, { remedy: stepsOf(all) });
  }
  for (const candidate of [...all, ...invalid].sort((a, b) => b.step - a.step)) {
    try {
      if ("manifest" in candidate) return await load(store, candidate, options);
      options.onSkipped?.(candidate.step, candidate.reason);
    } catch (error) {
      if (!(error instanceof PlumeError) || (error.code !== "DATA_LOSS" && error.code !== "NOT_FOUND")) throw error;
      options.onSkipped?.(candidate.step, error.message);
    }
  }
  throw new PlumeError("NOT_FOUND", `${store.url} has no whole checkpoint`, { remedy: stepsOf(all) });
}

function stepsOf(all: readonly ListedCheckpoint[]): string {
  if (all.length === 0) return "it holds no checkpoint at all";
  return `it has step${all.length > 1 ? "s" : ""} ${all.map(({ step }) => step).join(", ")}`;
}

async function load(
  store: ObjectStore,
  { prefix, manifest }: ListedCheckpoint,
  { layout, vectors: wanted }: ReadOptions,
): Promise<Checkpoint> {
  const fetch = async (part: Part): Promise<Uint8Array> => {
    const bytes = await store.get(prefix + part.key);
    verifyPart(`${store.url}/${prefix}${part.key}`, part, bytes);
    return bytes;
  };
  const text = async (key: string): Promise<string> => {
    const part = manifest.parts.find((candidate) => candidate.key === key);
    if (!part) throw new PlumeError("DATA_LOSS", `${store.url}/${prefix}${MANIFEST} names no ${key}`);
    return Buffer.from(await fetch(part)).toString("utf8");
  };
  const state = parseState(`${store.url}/${prefix}${STATE}`, await text(STATE));
  const job = parseJob(await text(JOB), { file: `${prefix}${JOB}` });
  const vectors: Record<string, Map<string, Float32Array>> = {};
  for (const part of manifest.parts) {
    if (part.vector === undefined || (wanted && !wanted.includes(part.vector))) continue;
    vectors[part.vector] ??= new Map();
    const into = vectors[part.vector]!;
    for (const { name, shape, values } of decodeSafetensors(await fetch(part), prefix + part.key).values()) {
      if (layout) checkTensor(layout, name, shape);
      into.set(name, values);
    }
  }
  if (layout) for (const vector of Object.values(vectors)) checkComplete(layout, vector);
  return { state, job, vectors };
}

/** What a whole checkpoint's state.json says. @throws PlumeError FAILED_PRECONDITION: its bytes are as they were written. */
function parseState(where: string, text: string): CheckpointState {
  const parsed = stateSchema.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  throw new PlumeError(
    "FAILED_PRECONDITION",
    `${where} was written by another version of plume: ${firstIssue(parsed.error)}`,
    {
      remedy: "read it with the version that its manifest names",
    },
  );
}

/** Reads every byte. @returns what is wrong with the checkpoint, naming the part, or null when it is whole. */
export async function faultOf(store: ObjectStore, { prefix, manifest }: Pick<ListedCheckpoint, "prefix" | "manifest">) {
  for (const part of manifest.parts) {
    try {
      verifyPart(`${store.url}/${prefix}${part.key}`, part, await store.get(prefix + part.key));
    } catch (error) {
      if (!(error instanceof PlumeError) || (error.code !== "DATA_LOSS" && error.code !== "NOT_FOUND")) throw error;
      return error.message;
    }
  }
  return null;
}

/** @throws PlumeError DATA_LOSS. */
function verifyPart(where: string, part: Part, bytes: Uint8Array): void {
  if (bytes.byteLength !== part.size)
    throw new PlumeError("DATA_LOSS", `${where} has ${bytes.byteLength} bytes, its manifest says ${part.size}`);
  const digest = sha256(bytes);
  if (digest !== part.sha256)
    throw new PlumeError(
      "DATA_LOSS",
      `${where} has sha256 ${digest.slice(0, 12)}…, its manifest says ${part.sha256.slice(0, 12)}…`,
    );
}

const OTHER_MODEL = { remedy: "resume with the job that wrote it, or start over with --resume never" };

function checkTensor(layout: Layout, name: string, shape: readonly number[]): void {
  const own = layout.tensors.find((tensor) => tensor.name === name);
  if (!own)
    throw new PlumeError(
      "FAILED_PRECONDITION",
      `a checkpoint of another model: it has tensor ${name}, this job's model does not`,
      OTHER_MODEL,
    );
  if (own.shape.join() !== shape.join())
    throw new PlumeError(
      "FAILED_PRECONDITION",
      `a checkpoint of another model: tensor ${name} is [${shape}], this job's model wants [${own.shape}]`,
      OTHER_MODEL,
    );
}

function checkComplete(layout: Layout, vector: ReadonlyMap<string, unknown>): void {
  const missing = layout.tensors.find(({ name }) => !vector.has(name));
  if (missing)
    throw new PlumeError(
      "FAILED_PRECONDITION",
      `a checkpoint of another model: it lacks tensor ${missing.name}`,
      OTHER_MODEL,
    );
}
