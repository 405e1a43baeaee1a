// Resizing images by area averaging (shrinking) and bilinear interpolation (growing), in exact arithmetic, so that
// the same pixels come out everywhere.

import type { PatchShape } from "./patch.ts";

/** [n, H, W, C] to [n, S, S, C]; the same array when nothing changes. */
export function resizeAll(
  pixels: Uint8Array,
  height: number,
  width: number,
  channels: number,
  size: number,
): Uint8Array {
  if (height === size && width === size) return pixels;
  const n = pixels.length / (height * width * channels);
  const out = new Uint8Array(n * size * size * channels);
  resample(pixels, { height, width, channels, size }, (at, value) => {
    out[at] = Math.floor(value + 0.5);
  });
  return out;
}

/** Square images of any values, float32 [n, S, S, C], to [n, T, T, C]. */
export function resizeFloats(values: Float32Array, side: number, channels: number, size: number): Float32Array {
  const n = values.length / (side * side * channels);
  const out = new Float32Array(n * size * size * channels);
  resample(values, { height: side, width: side, channels, size }, (at, value) => {
    out[at] = value;
  });
  return out;
}

/** Every pixel as a square, as a screen shows it. @returns uint8 [n, H, W, C] of the larger shape. */
export function magnified(pixels: Uint8Array, small: PatchShape, { height, width, channels }: PatchShape): Uint8Array {
  const n = pixels.length / (small.height * small.width * channels);
  const all = new Uint8Array(n * height * width * channels);
  for (let k = 0; k < all.length; k++) {
    const [c, x, row] = [k % channels, Math.floor(k / channels) % width, Math.floor(k / channels / width)];
    const [image, y] = [Math.floor(row / height), row % height];
    const from = image * small.height + Math.floor((y * small.height) / height);
    all[k] = pixels[(from * small.width + Math.floor((x * small.width) / width)) * channels + c]!;
  }
  return all;
}

interface Sides {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Of what comes out. */
  readonly size: number;
}

function resample(
  pixels: ArrayLike<number>,
  { height, width, channels, size }: Sides,
  put: (at: number, value: number) => void,
): void {
  const n = pixels.length / (height * width * channels);
  const rows = weights(height, size);
  const columns = weights(width, size);
  for (let image = 0; image < n; image++) {
    const from = image * height * width * channels;
    for (let y = 0; y < size; y++)
      for (let x = 0; x < size; x++)
        for (let c = 0; c < channels; c++) {
          let sum = 0;
          for (const [row, wy] of rows[y]!)
            for (const [column, wx] of columns[x]!)
              sum += wy * wx * pixels[from + (row * width + column) * channels + c]!;
          put(((image * size + y) * size + x) * channels + c, sum);
        }
  }
}

/** For each output pixel, the input pixels it is made of and their shares. */
function weights(from: number, to: number): [number, number][][] {
  const scale = from / to;
  return Array.from({ length: to }, (_, i): [number, number][] => {
    if (scale >= 1) {
      const start = i * scale;
      const end = start + scale;
      const taps: [number, number][] = [];
      for (let j = Math.floor(start); j < Math.min(from, Math.ceil(end)); j++) {
        const share = (Math.min(end, j + 1) - Math.max(start, j)) / scale;
        if (share > 1e-9) taps.push([j, share]);
      }
      return taps;
    }
    const centre = Math.max(0, Math.min(from - 1, (i + 0.5) * scale - 0.5));
    const low = Math.floor(centre);
    const high = Math.min(from - 1, low + 1);
    return [
      [low, 1 - (centre - low)],
      [high, centre - low],
    ];
  });
}
