// Images in an object store: the folder of images: over s3://.

import { openImages } from "./images.ts";
import type { Source } from "./source.ts";

export const s3: Source = {
  usage: "s3://BUCKET/PREFIX/",
  about: "PNG, JPEG and WebP images in an S3 store, one subfolder a class",
  open: (rest, context) => openImages(`s3:${rest}`, `s3:${rest}`, context),
};
