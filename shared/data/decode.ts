// From the bytes of a PNG, JPEG or WebP file to pixels. sharp decodes in threads of its own.

import { PlumeError } from "../errors.ts";

/** What a file name of an image ends with. */
export const IMAGE = /\.(png|jpe?g|webp)$/i;

/**
 * Cropped to a centred square and resized: uint8 [size, size, 3]. @param name for messages.
 * @throws PlumeError DATA_LOSS.
 */
export async function decodeImage(encoded: Uint8Array, size: number, name: string): Promise<Uint8Array> {
  const { default: sharp } = await import("sharp"); // on demand: processes that decode nothing start sooner
  try {
    return await sharp(encoded, { failOn: "truncated" })
      .rotate()
      .flatten({ background: "#000" })
      .resize(size, size, { fit: "cover" })
      .toColourspace("srgb")
      .removeAlpha()
      .raw()
      .toBuffer();
  } catch (cause) {
    throw new PlumeError("DATA_LOSS", `${name} cannot be decoded: ${(cause as Error).message}`, {
      remedy: "remove or replace it, or set data.onError: skip",
      cause,
    });
  }
}

/** uint8 [n, H, W, 3] to [n, H, W, 1]: the mean of the channels, so that a grey picture stays as it is. */
export const grey = (pixels: Uint8Array): Uint8Array =>
  Uint8Array.from({ length: pixels.length / 3 }, (_, k) =>
    Math.round((pixels[3 * k]! + pixels[3 * k + 1]! + pixels[3 * k + 2]!) / 3),
  );
