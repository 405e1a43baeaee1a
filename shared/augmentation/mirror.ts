// Images left to right and upside down.

/** Of an image that is laid out row by row, its channels together. */
export interface Plane {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

type Values = Float32Array | Uint8Array;

/** Left to right, in place. @param image [H, W, C]. */
export function mirror(image: Values, { width, channels }: Plane): void {
  for (let start = 0; start < image.length; start += width * channels)
    reverse(image.subarray(start, start + width * channels), channels);
}

/** Upside down, in place. @param image [H, W, C]. */
export const upend = (image: Values, { width, channels }: Plane): void => reverse(image, width * channels);

/** Runs of so many values in the opposite order. */
function reverse(values: Values, run: number): void {
  const copy = values.slice();
  for (let from = 0; from < copy.length; from += run)
    values.set(copy.subarray(from, from + run), copy.length - run - from);
}
