// A folder of a text encoder, read: its tokenizer, and of its weights those that the encoder has, as one vector that threads share.

import { createHash } from "node:crypto";
import { resolve } from "node:path";
import { floatsOf, headerEnd, spansIn, type TensorSpan, type TensorType } from "../checkpoint/safetensors.ts";
import { PlumeError } from "../errors.ts";
import type { StoreAccess } from "../store/access.ts";
import type { ObjectStore } from "../store/object-store.ts";
import { openStore } from "../store/open.ts";
import { MODEL_TYPES, textKindOf } from "./index.ts";
import type { TextEncoder, TextTensor } from "./kind.ts";
import { tokenizerOfSpiece } from "./spiece.ts";
import { openTokenizer, type TokenizerFiles } from "./tokenizer.ts";

/** What an encoder is made of, as it travels to a thread or a process. */
export interface TextWeights {
  /** Of config.json. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly tokenizer: TokenizerFiles;
  /** float32: the encoder's tensors, in its order, without a gap. */
  readonly flat: Float32Array;
}

export interface ReadText extends TextWeights {
  /** Channels of a word. */
  readonly width: number;
  /** Where it was read. */
  readonly at: string;
  /** Of everything that decides what it makes of a caption. */
  readonly sha256: string;
}

const CONFIG = "config.json";
const WEIGHTS = "model.safetensors";
const TOKENIZER = "tokenizer.json";
const SPIECE = "spiece.model";
const TYPES: readonly TensorType[] = ["F32", "F16", "BF16"];
const SAVE =
  "name a folder with config.json, model.safetensors and tokenizer.json, as transformers' save_pretrained writes them";

/** The encoder that a config.json is of. @throws PlumeError FAILED_PRECONDITION for one of no kind that plume has. */
export function textEncoderOf(config: TextWeights["config"]): TextEncoder {
  const kind = textKindOf(config.model_type);
  if (kind) return kind.encoderOf(config);
  const said =
    config.model_type === undefined ? "names no model_type" : `has model_type ${JSON.stringify(config.model_type)}`;
  throw new PlumeError("FAILED_PRECONDITION", `${CONFIG} ${said}`, {
    remedy: `name a text encoder of model_type ${MODEL_TYPES.join(" or ")}`,
  });
}

const placeOf = (from: string): string =>
  from.startsWith("file://") ? `file://${resolve(from.slice("file://".length))}` : from.replace(/\/+$/, "");

/** Whether a place is meant as a folder of a text encoder. @param from as for readTextEncoder. */
export async function isTextFolder(from: string, access: StoreAccess): Promise<boolean> {
  return (await (await openStore(placeOf(from), access)).head(CONFIG)) !== null;
}

/**
 * @param from file:// or s3:// of a folder.
 * @throws PlumeError NOT_FOUND naming a file that is missing, FAILED_PRECONDITION a setting or tensor, DATA_LOSS a damaged file.
 */
export async function readTextEncoder(from: string, access: StoreAccess): Promise<ReadText> {
  const place = placeOf(from);
  const folder = await openStore(place, access);
  const config = parseObject(await text(folder, CONFIG), CONFIG);
  const encoder = textEncoderOf(config);
  const tokenizer = await readTokenizer(folder);
  const some = (await openTokenizer(tokenizer))("a picture");
  const flat = await readWeights(folder, encoder.tensors);
  const rows = encoder.tensors.find(({ table }) => table)!.shape[0]!;
  if (!some.every((token) => Number.isInteger(token) && token >= 0 && token < rows))
    throw refused(place, `its tokenizer gives numbers that the ${rows} rows of its embedding lack`);
  const hash = createHash("sha256").update(JSON.stringify([encoder.settings, tokenizer]));
  for (const { name, shape } of encoder.tensors) hash.update(`${name} ${shape}\n`);
  const sha256 = hash.update(new Uint8Array(flat.buffer)).digest("hex");
  return { config, tokenizer, flat, width: encoder.width, at: place, sha256 };
}

const refused = (place: string, why: string) =>
  new PlumeError("FAILED_PRECONDITION", `${place} is no text encoder: ${why}`, { remedy: SAVE });

async function text(folder: ObjectStore, key: string): Promise<string> {
  return Buffer.from(await bytesOf(folder, key)).toString("utf8");
}

async function bytesOf(folder: ObjectStore, key: string): Promise<Uint8Array> {
  return folder.get(key).catch((cause) => {
    throw cause instanceof PlumeError && cause.code === "NOT_FOUND"
      ? new PlumeError("NOT_FOUND", `${folder.url} is no text encoder: it has no ${key}`, { remedy: SAVE, cause })
      : cause;
  });
}

function parseObject(json: string, file: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch (cause) {
    throw new PlumeError("DATA_LOSS", `${file} is no JSON: ${(cause as Error).message}`, { remedy: SAVE, cause });
  }
  throw new PlumeError("DATA_LOSS", `${file} is no mapping`, { remedy: SAVE });
}

async function readTokenizer(folder: ObjectStore): Promise<TokenizerFiles> {
  const has = async (key: string) => (await folder.head(key)) !== null;
  const config = (await has("tokenizer_config.json")) ? await text(folder, "tokenizer_config.json") : "{}";
  if (!(await has(TOKENIZER)) && (await has(SPIECE)))
    return { tokenizer: tokenizerOfSpiece(await folder.get(SPIECE), SPIECE), config };
  return { tokenizer: await text(folder, TOKENIZER), config };
}

/** Each tensor by itself, so that a decoder that lies in the same file is not read. */
async function readWeights(folder: ObjectStore, tensors: readonly TextTensor[]): Promise<Float32Array> {
  const found = await folder.head(WEIGHTS);
  if (!found)
    throw new PlumeError("NOT_FOUND", `${folder.url} is no text encoder: it has no ${WEIGHTS}`, {
      remedy: "write it as one file: save_pretrained(FOLDER, safe_serialization=True, max_shard_size='100GB')",
    });
  const name = `${folder.url}/${WEIGHTS}`;
  const read = (start: number, end: number) => folder.get(WEIGHTS, { range: { start, end } });
  const head = await read(0, headerEnd(await read(0, 8), found.size, name));
  const spans = new Map(spansIn(head, found.size, name, TYPES).map((span) => [span.name, span]));
  const chosen = tensors.map((tensor) => spanOf(tensor, spans, folder.url));
  const total = tensors.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const flat = new Float32Array(new SharedArrayBuffer(total * Float32Array.BYTES_PER_ELEMENT));
  let at = 0;
  for (const { start, end, shape, dtype, name: tensor } of chosen) {
    const values = floatsOf(await read(start, end), dtype);
    if (!values.every(Number.isFinite))
      throw new PlumeError("DATA_LOSS", `${name}: the weights ${tensor} hold numbers that are not finite`);
    flat.set(values, at);
    at += sizeOf(shape);
  }
  return flat;
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((n, size) => n * size, 1);

function spanOf(
  { name, also = [], shape }: TextTensor,
  spans: ReadonlyMap<string, TensorSpan>,
  place: string,
): TensorSpan {
  const span = [name, ...also].map((each) => spans.get(each)).find(Boolean);
  if (!span) throw refused(place, `tensor ${name} is missing`);
  if (span.shape.join() !== shape.join())
    throw refused(place, `tensor ${span.name} is [${span.shape}], its config.json makes it [${shape}]`);
  return span;
}
