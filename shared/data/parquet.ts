// A parquet file as Hugging Face writes images: what its footer says of them, their labels, and the images of one row
// group. hyparquet reads the format; here is what is asked of it.

import type { FileMetaData } from "hyparquet";
import { PlumeError } from "../errors.ts";
import type { ByteRange } from "../store/object-store.ts";
import { type CaptionTable, packCaptions } from "./caption-table.ts";

export type ReadRange = (range: ByteRange) => Promise<Uint8Array>;

/** What an index needs of one file. */
export interface ParquetIndex {
  /** The whole footer, as it lies at the end of the file. */
  readonly footer: Uint8Array;
  /** Rows of each row group. */
  readonly rows: readonly number[];
  /** Bytes of each, uncompressed. */
  readonly bytes: readonly number[];
  readonly imageColumn: string;
  /** int32 [n]; -1 without a label. */
  readonly labels: Int32Array;
  /** Null where no row has one. */
  readonly captions: CaptionTable | null;
  /** Names of a ClassLabel; null when the file has none. */
  readonly classes: readonly string[] | null;
}

type Broken = (why: string, remedy?: string) => PlumeError;

/** Read at first; a footer is rarely larger. */
const TAIL_BYTES = 64 * 1024;
/** One request of the store asks for no more. */
const REQUEST_BYTES = 8 << 20;
const MAGIC = "PAR1";

/** @param name of the file. @throws PlumeError INVALID_ARGUMENT that says what the file is not. */
export async function indexParquet(name: string, size: number, read: ReadRange): Promise<ParquetIndex> {
  const broken: Broken = (why, remedy = "write the file again, or leave it out of data.source") =>
    new PlumeError("INVALID_ARGUMENT", `${name} is no parquet file of images: ${why}`, { remedy });
  const footer = await readFooter(size, read, broken);
  const metadata = await parseFooter(footer, broken);
  const features = featuresOf(metadata);
  const imageColumn = imageColumnOf(metadata, features, broken);
  await checkCodecs(metadata, broken);
  const labelColumn = labelColumnOf(metadata, features);
  const rows = metadata.row_groups.map((group) => Number(group.num_rows));
  if (rows.every((n) => n === 0)) throw broken("it has no rows");
  const column = (name: string | null) => readWhole(name, metadata, size, read, broken);
  const labels = labelsOf(await column(labelColumn), labelColumn, broken);
  const captions = captionsOf(await column(captionColumnOf(metadata, imageColumn)));
  const classes = (labelColumn !== null && features[labelColumn]?.names) || null;
  const bytes = metadata.row_groups.map((group) => Number(group.total_byte_size));
  return { footer, rows, bytes, imageColumn, labels, captions, classes };
}

/** The images of a row group; null for a row that has none. @throws what `read` throws, or Error for a damaged group. */
export async function readImages(
  { footer, rows, imageColumn }: ParquetIndex,
  group: number,
  size: number,
  read: ReadRange,
): Promise<(Uint8Array | null)[]> {
  const { parquetMetadata } = await import("hyparquet");
  const rowStart = rows.slice(0, group).reduce((sum, n) => sum + n, 0);
  const rowEnd = rowStart + rows[group]!;
  const values = await readColumn(parquetMetadata(footer), imageColumn, { rowStart, rowEnd }, size, read);
  return values.map((value) => {
    const bytes = value instanceof Uint8Array ? value : (value as { bytes?: unknown } | null)?.bytes;
    return bytes instanceof Uint8Array ? bytes : null;
  });
}

async function readFooter(size: number, read: ReadRange, broken: Broken): Promise<Uint8Array> {
  if (size < 12) throw broken(`${size} bytes are too few`);
  const tail = Buffer.from(await read({ start: Math.max(0, size - TAIL_BYTES), end: size }));
  const magic = tail.toString("latin1", tail.length - 4);
  if (magic !== MAGIC)
    throw broken(
      magic === "PARE"
        ? "its footer is encrypted"
        : `it does not end with ${MAGIC}: it was cut off, or is another kind of file`,
    );
  const length = tail.readUInt32LE(tail.length - 8) + 8;
  if (length > size) throw broken(`its footer has ${length} bytes, the file ${size}`);
  return length <= tail.length ? tail.subarray(tail.length - length) : read({ start: size - length, end: size });
}

async function parseFooter(footer: Uint8Array, broken: Broken): Promise<FileMetaData> {
  const { parquetMetadata } = await import("hyparquet");
  try {
    return parquetMetadata(footer);
  } catch (error) {
    throw broken(`its footer cannot be read (${(error as Error).message})`);
  }
}

interface Feature {
  readonly _type?: string;
  readonly names?: readonly string[];
}

/** What Hugging Face's datasets notes of the columns; empty where another program wrote the file. */
function featuresOf({ key_value_metadata }: FileMetaData): Readonly<Record<string, Feature>> {
  const text = key_value_metadata?.find(({ key }) => key === "huggingface")?.value;
  try {
    return (JSON.parse(text ?? "{}") as { info?: { features?: Record<string, Feature> } }).info?.features ?? {};
  } catch {
    return {};
  }
}

const columnsOf = ({ row_groups }: FileMetaData) =>
  (row_groups[0]?.columns ?? []).flatMap(({ meta_data }) => (meta_data ? [meta_data] : []));

/** "image", or the one column that is an Image: binary, or a struct with binary `bytes`. */
function imageColumnOf(metadata: FileMetaData, features: Readonly<Record<string, Feature>>, broken: Broken): string {
  const columns = columnsOf(metadata);
  const binary = columns
    .filter(
      ({ type, path_in_schema: path }) =>
        type === "BYTE_ARRAY" && (path.length === 1 || (path.length === 2 && path[1] === "bytes")),
    )
    .map(({ path_in_schema: path }) => path[0]!);
  const named = Object.keys(features).filter((name) => features[name]?._type === "Image");
  const chosen = ["image", ...(named.length === 1 ? named : [])].find((name) => binary.includes(name));
  if (chosen !== undefined) return chosen;
  const has = [...new Set(columns.map(({ path_in_schema: path }) => path[0]))].join(", ") || "none";
  throw broken(
    `it has no column of images (its columns: ${has})`,
    "name the column image, as binary or as a struct of bytes and path, as datasets.Image writes it",
  );
}

/** "label", or the one ClassLabel; null when there is neither. */
function labelColumnOf(metadata: FileMetaData, features: Readonly<Record<string, Feature>>): string | null {
  const integer = columnsOf(metadata)
    .filter(({ type, path_in_schema: path }) => path.length === 1 && (type === "INT64" || type === "INT32"))
    .map(({ path_in_schema: path }) => path[0]!);
  const named = Object.keys(features).filter((name) => features[name]?._type === "ClassLabel");
  return ["label", ...(named.length === 1 ? named : [])].find((name) => integer.includes(name)) ?? null;
}

/** "caption", else "text": a column of text. */
function captionColumnOf(metadata: FileMetaData, imageColumn: string): string | null {
  const text = columnsOf(metadata)
    .filter(({ type, path_in_schema: path }) => path.length === 1 && type === "BYTE_ARRAY" && path[0] !== imageColumn)
    .map(({ path_in_schema: path }) => path[0]!);
  return ["caption", "text"].find((name) => text.includes(name)) ?? null;
}

async function checkCodecs(metadata: FileMetaData, broken: Broken): Promise<void> {
  const { compressors } = await import("hyparquet-compressors");
  const known = ["UNCOMPRESSED", "SNAPPY", ...Object.keys(compressors)];
  for (const { codec } of columnsOf(metadata))
    if (!known.includes(codec))
      throw broken(
        `it is compressed with ${codec ?? "a codec without a name"}`,
        `write it with one of ${[...new Set(known)].join(", ")}`,
      );
}

const MOST_CLASSES = 1_000_000;

/** A column's values in all rows; undefined in each where there is no such column. */
async function readWhole(
  column: string | null,
  metadata: FileMetaData,
  size: number,
  read: ReadRange,
  broken: Broken,
): Promise<readonly unknown[]> {
  const n = Number(metadata.num_rows);
  if (column === null) return new Array(n).fill(undefined);
  return readColumn(metadata, column, { rowStart: 0, rowEnd: n }, size, read).catch((error) => {
    throw error instanceof PlumeError
      ? error
      : broken(`its column ${column} cannot be read (${(error as Error).message})`);
  });
}

const captionsOf = (values: readonly unknown[]): CaptionTable | null =>
  packCaptions(
    values.map((value) => {
      if (value === null || value === undefined) return null;
      return (value instanceof Uint8Array ? Buffer.from(value).toString("utf8") : String(value)).trim();
    }),
  );

function labelsOf(values: readonly unknown[], column: string | null, broken: Broken): Int32Array {
  return Int32Array.from(values, (value, row) => {
    const label = Number(value ?? -1);
    if (Number.isInteger(label) && label >= -1 && label < MOST_CLASSES) return label;
    throw broken(`row ${row} has ${column} ${label}, classes are numbered from 0 to ${MOST_CLASSES - 1}`);
  });
}

async function readColumn(
  metadata: FileMetaData,
  column: string,
  rows: { readonly rowStart: number; readonly rowEnd: number },
  size: number,
  read: ReadRange,
): Promise<unknown[]> {
  const { parquetReadObjects } = await import("hyparquet");
  const { compressors } = await import("hyparquet-compressors");
  const slice = async (start: number, end = size): Promise<ArrayBuffer> => {
    const out = new Uint8Array(end - start);
    const starts = Array.from({ length: Math.ceil(out.length / REQUEST_BYTES) }, (_, k) => start + k * REQUEST_BYTES);
    await Promise.all(
      starts.map(async (at) => out.set(await read({ start: at, end: Math.min(end, at + REQUEST_BYTES) }), at - start)),
    );
    return out.buffer;
  };
  const file = { byteLength: size, slice };
  const found = await parquetReadObjects({ file, metadata, columns: [column], ...rows, compressors, utf8: false });
  if (found.length !== rows.rowEnd - rows.rowStart)
    throw new Error(`${found.length} rows where ${rows.rowEnd - rows.rowStart} should be`);
  return found.map((row) => row[column]);
}
