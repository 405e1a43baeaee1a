// Pictures that people give, as pixels.

import { PlumeError } from "../../../../shared/errors.ts";

/** @param name for messages. @returns uint8 [height, width]. */
export async function greyPicture(name: string, encoded: Uint8Array) {
  const { default: sharp } = await import("sharp"); // on demand, as wherever pictures are decoded
  const { data, info } = await sharp(encoded)
    .rotate()
    .flatten({ background: "#000" })
    .toColourspace("b-w")
    .raw()
    .toBuffer({ resolveWithObject: true })
    .catch((cause: Error) => {
      throw undecodable(name, cause);
    });
  return { pixels: new Uint8Array(data), height: info.height, width: info.width };
}

/** Sides as it will be seen. */
export async function sidesOf(name: string, encoded: Uint8Array): Promise<{ height: number; width: number }> {
  const { default: sharp } = await import("sharp");
  const { autoOrient } = await sharp(encoded)
    .metadata()
    .catch((cause: Error) => {
      throw undecodable(name, cause);
    });
  return autoOrient;
}

const undecodable = (name: string, cause: Error) =>
  new PlumeError("DATA_LOSS", `${name} cannot be decoded: ${cause.message}`, { remedy: "replace it", cause });
