// The images that a model is measured on: of its own data those that it was not trained on, where the source has any.

import type { ImageSet } from "../../shared/data/image-set.ts";
import { openImageSet } from "../../shared/data/open.ts";
import { PlumeError } from "../../shared/errors.ts";
import type { LoadedModel } from "../../shared/interop/load-model.ts";

export interface HeldOut extends AsyncDisposable {
  readonly test: ImageSet;
  readonly train: ImageSet;
  /** Whether they are others than those of training. */
  readonly heldOut: boolean;
  /** The same in words, of so many images. */
  readonly which: string;
}

type Measured = Pick<LoadedModel, "job" | "imageSet">;

/** @throws PlumeError UNAVAILABLE where others stand in for the job's images, or are what they have become. */
export async function openHeldOut(model: Measured, signal: AbortSignal): Promise<HeldOut> {
  const { data, store } = model.job.spec;
  const open = (split: "test" | "train") => openImageSet(data, { split, access: store, signal });
  const [test, train] = await Promise.all([open("test"), open("train")]);
  const close = async () => void (await Promise.all([test.close(), train.close()]));
  const trouble = [test, train].map((set) => troubleOf(model, set)).find((why) => why !== undefined);
  if (trouble === undefined) {
    const heldOut = test.digest !== train.digest;
    const which = heldOut ? "test images" : "images that it was trained on (the source has no others)";
    return { test, train, heldOut, which, [Symbol.asyncDispose]: close };
  }
  await close();
  throw new PlumeError("UNAVAILABLE", `the images of ${data.source} are not here: ${trouble}`, {
    remedy: data.source === "fashion-mnist" ? "npm run setup:data" : "put them where the job names them",
  });
}

function troubleOf({ job, imageSet }: Measured, set: ImageSet): string | undefined {
  if (set.fallback !== undefined) return set.fallback;
  const shape = ({ height, width, channels }: Pick<ImageSet, "height" | "width" | "channels">) =>
    `${height}x${width}x${channels}`;
  if (shape(set) !== shape(imageSet)) return `there are images of ${shape(set)}, it was trained on ${shape(imageSet)}`;
  const { classes } = job.spec.model;
  if (classes === 0 || set.classes.length <= classes) return undefined;
  return `there are images of ${set.classes.length} classes, it knows ${classes}`;
}
