// The headers of a tar archive (POSIX ustar, with GNU's and PAX's long names), read by ranges: what lies between them is
// not read.

export interface TarEntry {
  readonly name: string;
  /** Where its bytes begin in the archive. */
  readonly start: number;
  readonly size: number;
}

/** Bytes [start, end) of the archive. */
export type ReadBytes = (start: number, end: number) => Promise<Uint8Array>;

/** What is wrong with the archive, and where. */
export class TarFault extends Error {}

const BLOCK = 512;
/** A long name is no longer. */
const MOST_META = 1 << 20;

/** Regular files in the order of the archive. @throws TarFault. */
export async function* tarEntries(read: ReadBytes, size: number): AsyncGenerator<TarEntry> {
  let longName: string | null = null;
  let pax: ReadonlyMap<string, string> = new Map();
  for (let at = 0; ; ) {
    if (at + BLOCK > size)
      throw new TarFault(`it ends at byte ${size} without the mark of an archive's end: it was cut off`);
    const header = Buffer.from(await read(at, at + BLOCK));
    if (header.every((byte) => byte === 0)) return;
    checkHeader(header, at);
    const type = String.fromCharCode(header[156]!);
    const length = Number(pax.get("size") ?? numberAt(header, 124, 12, at));
    const start = at + BLOCK;
    if (start + length > size)
      throw new TarFault(
        `${longName ?? nameIn(header)} needs ${length} bytes from byte ${start} on, but there are ${size}: it was cut off`,
      );
    const meta = async () => {
      if (length > MOST_META) throw new TarFault(`the header at byte ${at} has ${length} bytes of names`);
      return Buffer.from(await read(start, start + length));
    };
    at = start + Math.ceil(length / BLOCK) * BLOCK;
    if (type === "L") longName = textIn(await meta());
    else if (type === "x") pax = paxRecords(await meta());
    else if (type === "g" || type === "K") continue;
    else {
      const name = pax.get("path") ?? longName ?? nameIn(header);
      longName = null;
      pax = new Map();
      if (type === "0" || type === "\0" || type === "7")
        yield { name: name.replace(/^(\.\/)+/, ""), start, size: length };
      else if (type === "S") throw new TarFault(`${name} is a sparse file`);
    }
  }
}

function checkHeader(header: Buffer, at: number): void {
  const stored = numberAt(header, 148, 8, at);
  let sum = 0;
  for (let k = 0; k < BLOCK; k++) sum += k >= 148 && k < 156 ? 32 : header[k]!;
  if (sum !== stored) throw new TarFault(`there is no tar header at byte ${at}`);
}

/** Octal digits, or GNU's binary form where the first bit is set. */
function numberAt(header: Buffer, offset: number, length: number, at: number): number {
  const field = header.subarray(offset, offset + length);
  if (field[0]! & 0x80) return field.subarray(1).reduce((value, byte) => value * 256 + byte, 0);
  const text = textIn(field).trim();
  if (!/^[0-7]*$/.test(text)) throw new TarFault(`there is no tar header at byte ${at}`);
  return text === "" ? 0 : Number.parseInt(text, 8);
}

function nameIn(header: Buffer): string {
  const name = textIn(header.subarray(0, 100));
  const isPosix = header.toString("latin1", 257, 263) === "ustar\0";
  const prefix = isPosix ? textIn(header.subarray(345, 500)) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

/** Up to the first zero. */
function textIn(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString("utf8", 0, end < 0 ? bytes.length : end);
}

/** Records "LENGTH KEY=VALUE\n", the length in bytes of all of it. */
function paxRecords(bytes: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(bytes.toString("latin1", at, space));
    if (space < 0 || !Number.isInteger(length) || length < 1) break;
    const [key = "", ...value] = bytes.toString("utf8", space + 1, at + length - 1).split("=");
    records.set(key, value.join("="));
    at += length;
  }
  return records;
}
