// The contract of a data set: a numbered collection of images of one size, read by id, in any order, again and again.

/** What there is to know about a set without reading an image. */
export interface ImageSetCard {
  /** The source as the job names it, for messages. */
  readonly name: string;
  readonly size: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Class names by label; empty when the set has no labels. */
  readonly classes: readonly string[];
  /** What samples have captions: `lacking` names the first that has none. Absent where no sample has one. */
  readonly captions?: { readonly lacking: string | null };
  /** sha256 that changes when the set does: content for files in memory, paths and sizes for folders. */
  readonly digest: string;
  /** Why it is another set than the job asks for. */
  readonly fallback?: string;
}

/** Pixels are uint8 NHWC, values 0..255. */
export interface ImageSet extends ImageSetCard {
  /** Decodes samples by id, off the event loop. Ids may repeat. @throws PlumeError DATA_LOSS naming the file that cannot be decoded. */
  read(ids: readonly number[], signal?: AbortSignal): Promise<ImageBatch>;
  /** Where the samples lie, for sets that are read from an object store or a folder. */
  storage?(): Promise<SetStorage>;
  close(): Promise<void>;
}

export interface SetObject {
  readonly key: string;
  readonly size: number;
  readonly samples: number;
}

export interface SetStorage {
  readonly objects: readonly SetObject[];
  /** Of those that this host's cache may hold; null where nothing is cached. */
  readonly cachedBytes: number | null;
}

/** A sample that cannot be decoded, and the one that was read instead. */
export interface SkippedSample {
  readonly id: number;
  readonly instead: number;
}

export interface ImageBatch {
  /** uint8 [n, height, width, channels]. */
  readonly pixels: Uint8Array;
  /** int32 [n]; -1 without a label. */
  readonly labels: Int32Array;
  /** What each shows, in words; absent unless every sample of the set has a caption. */
  readonly captions?: readonly string[];
  /** Under data.onError: skip, in the order of the batch. */
  readonly skipped?: readonly SkippedSample[];
}
