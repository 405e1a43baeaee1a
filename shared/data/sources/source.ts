// The contract of a data source: one way in which images lie somewhere.

import type { StoreAccess } from "../../store/access.ts";
import type { RangeCache } from "../disk-cache.ts";
import type { ImageSet } from "../image-set.ts";

export type Split = "train" | "test";

/** A set's index, kept beside the run. */
export interface IndexCopy {
  readonly file: string;
  /** There was none, or of another set: this is what the file should hold. */
  renew(sealed: Uint8Array): void;
  /** The file has the index of these very objects before they changed: which one, and how. */
  changed(what: string): void;
}

/** What a source is opened with. */
export interface SourceContext {
  /** Height and width of what is read. */
  readonly imageSize: number;
  readonly split: Split;
  /** How an object store is reached. */
  readonly access: StoreAccess;
  /** What came out of object stores, on this host's disk. */
  readonly cache: RangeCache;
  /** The run's own copy of the index; absent for whoever has none. */
  readonly copy?: IndexCopy | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Source {
  /** The form of data.source. */
  readonly usage: string;
  readonly about: string;
  /** Its samples have captions, or may have. */
  readonly captioned?: true;
  /** These are captions of scenes, of few words. */
  readonly scenes?: true;
  /** Its images are of bits, black and white. */
  readonly bits?: true;
  /**
   * @param argument what follows the colon of data.source.
   * @throws PlumeError that names the file and what is wrong with it.
   */
  open(argument: string, context: SourceContext): Promise<ImageSet>;
}
