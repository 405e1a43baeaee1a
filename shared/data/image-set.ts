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
  /** sha256 that changes when the set does: content for files in memory, paths and sizes for folders. */
  readonly digest: string;
  /** Why it is another set than the job asks for. */
  readonly fallback?: string;
}

/** Pixels are uint8 NHWC, values 0..255. */
export interface ImageSet extends ImageSetCard {
  /** Decodes samples by id, off the event loop. Ids may repeat. @throws PlumeError DATA_LOSS naming the file that cannot be decoded. */
  read(ids: readonly number[], signal?: AbortSignal): Promise<ImageBatch>;
  close(): Promise<void>;
}

export interface ImageBatch {
  /** uint8 [n, height, width, channels]. */
  readonly pixels: Uint8Array;
  /** int32 [n]; -1 without a label. */
  readonly labels: Int32Array;
}
