// The contract of a data source: one way in which images lie somewhere.

import type { ImageSet } from "../image-set.ts";

export type Split = "train" | "test";

export interface Source {
  /** The form of data.source. */
  readonly usage: string;
  readonly about: string;
  /**
   * @param argument what follows the colon of data.source. @param imageSize height and width of what is read.
   * @throws PlumeError that names the file and what is wrong with it.
   */
  open(argument: string, imageSize: number, split: Split, signal?: AbortSignal): Promise<ImageSet>;
}
