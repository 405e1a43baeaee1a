// Captions of many samples as an index keeps them: their bytes behind each other, in memory of about a caption's own size.

export interface CaptionTable {
  /** UTF-8. */
  readonly bytes: Uint8Array;
  /** float64 [n]: where each ends. */
  readonly ends: Float64Array;
  /** The first sample that has none; null where all have one. */
  readonly lacking: number | null;
}

/** More is no caption. */
export const MOST_CAPTION_BYTES = 1 << 16;

/** @param captions one a sample, null without. @returns null where none has one. */
export function packCaptions(captions: readonly (string | null)[]): CaptionTable | null {
  if (captions.every((caption) => caption === null)) return null;
  const texts = captions.map((caption) => Buffer.from(caption ?? ""));
  let end = 0;
  const ends = Float64Array.from(texts, ({ length }) => {
    end += length;
    return end;
  });
  const lacking = captions.indexOf(null);
  return { bytes: new Uint8Array(Buffer.concat(texts)), ends, lacking: lacking < 0 ? null : lacking };
}

function captionAt({ bytes, ends }: CaptionTable, k: number): string {
  return Buffer.from(bytes.subarray(k === 0 ? 0 : ends[k - 1]!, ends[k]!)).toString("utf8");
}

/** Captions of a set that lies in several objects. */
export interface SetCaptions {
  /** What a person calls the first sample that has none; null where all have one. */
  readonly lacking: string | null;
  of(id: number): string;
}

/**
 * @param parts of the objects, in their order. @param locate from a sample's id to its object and its number in it.
 * @param nameOf sample k of a part. @returns undefined where no sample has a caption.
 */
export function setCaptions(
  parts: readonly (CaptionTable | null)[],
  locate: (id: number) => readonly [part: number, k: number],
  nameOf: (part: number, k: number) => string,
): SetCaptions | undefined {
  if (parts.every((part) => part === null)) return undefined;
  const lacking = parts.findIndex((part) => part === null || part.lacking !== null);
  return {
    lacking: lacking < 0 ? null : nameOf(lacking, parts[lacking]?.lacking ?? 0),
    of(id) {
      const [part, k] = locate(id);
      return captionAt(parts[part]!, k);
    },
  };
}
