// The contract of a data source: one way in which images lie somewhere.

import type { StoreAccess } from "../../store/access.ts";
import type { RangeCache } from "../disk-cache.ts";
import type { ImageSet } from "../image-set.ts";

export type Split = "train" | "test";

/** What a source is opened with. */
export interface SourceContext {
  /** Height and width of what is read. */
  readonly imageSize: number;
  readonly split: Split;
  /** How an object store is reached. */
  readonly access: StoreAccess;
  /** What came out of object stores, on this host's disk. */
  readonly cache: RangeCache;
  /** Where the index of this set is kept; absent for whoever is not its owner. */
  readonly indexFile?: string | undefined;
  /** The set is another one than the kept index describes: which object, and how. */
  readonly onChanged?: ((what: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Source {
  /** The form of data.source. */
  readonly usage: string;
  readonly about: string;
  /**
   * @param argument what follows the colon of data.source.
   * @throws PlumeError that names the file and what is wrong with it.
   */
  open(argument: string, context: SourceContext): Promise<ImageSet>;
}
