// Pixel unshuffle and its inverse: a permutation, so that diffusion in patched pixels is diffusion in pixels.
// [n, S, S, C] <-> [n, S/p, S/p, C p p]; channel (dy p + dx) C + c of a patched pixel is pixel (y p + dy, x p + dx, c).

export interface PatchShape {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

export type PixelArray = Float32Array | Uint8Array;

/** Writes the unshuffled images to `out` (same length) and returns it. */
export function unshuffle<A extends PixelArray>(pixels: A, shape: PatchShape, patch: number, out: A): A {
  forEachPixel(pixels.length, shape, patch, (plain, patched) => {
    out[patched] = pixels[plain]!;
  });
  return out;
}

export function shuffle<A extends PixelArray>(patches: A, shape: PatchShape, patch: number, out: A): A {
  forEachPixel(patches.length, shape, patch, (plain, patched) => {
    out[plain] = patches[patched]!;
  });
  return out;
}

/** @param shape of the plain images. */
function forEachPixel(
  length: number,
  { height, width, channels }: PatchShape,
  p: number,
  visit: (plain: number, patched: number) => void,
): void {
  const size = height * width * channels;
  const columns = width / p;
  for (let image = 0; image < length; image += size) {
    let plain = image;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const cell = Math.floor(y / p) * columns + Math.floor(x / p);
        const within = (y % p) * p + (x % p);
        const patched = image + (cell * p * p + within) * channels;
        for (let c = 0; c < channels; c++) visit(plain++, patched + c);
      }
    }
  }
}
