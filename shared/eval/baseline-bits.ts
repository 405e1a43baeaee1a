// What images cost without a model, in bits a dimension: what a likelihood has to be below to say anything.

/** Every value of a byte alike. */
export const UNIFORM_BITS = 8;

/**
 * Each pixel by itself, as often as the training images had its values there, each counted once more than it was seen.
 * @param size dimensions of an image. @returns the mean over all images.
 */
export function histogramBits(train: Uint8Array, images: Uint8Array, size: number): number {
  const counts = new Uint32Array(size * 256).fill(1);
  for (let k = 0; k < train.length; k++) counts[(k % size) * 256 + train[k]!]!++;
  const total = train.length / size + 256;
  let bits = 0;
  for (let k = 0; k < images.length; k++) bits -= Math.log2(counts[(k % size) * 256 + images[k]!]! / total);
  return bits / images.length;
}
