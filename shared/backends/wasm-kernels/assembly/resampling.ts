// Twice the side, and half of it.

import { splat } from "./lanes";

/** Nearest-neighbour upsampling by 2: x[B, H, W, C] -> y[B, 2H, 2W, C]. */
export function upsample2(x: usize, y: usize, B: i32, H: i32, W: i32, C: i32): void {
  const bytes = <usize>C << 2;
  for (let n = 0; n < B; n++)
    for (let i = 0; i < 2 * H; i++)
      for (let j = 0; j < 2 * W; j++)
        memory.copy(y + <usize>((n * 2 * H + i) * 2 * W + j) * bytes, x + <usize>((n * H + (i >> 1)) * W + (j >> 1)) * bytes, bytes);
}

/** Its gradient: the sum over each 2 x 2 square, times `factor` (1/4 makes it average pooling). C is any. */
export function downsample2(y: usize, x: usize, B: i32, H: i32, W: i32, C: i32, factor: f32): void {
  const bytes = <usize>C << 2;
  const f = splat(factor);
  for (let n = 0; n < B; n++)
    for (let i = 0; i < H; i++)
      for (let j = 0; j < W; j++) {
        const p00 = y + <usize>((n * 2 * H + 2 * i) * 2 * W + 2 * j) * bytes;
        const p10 = p00 + <usize>(2 * W) * bytes;
        const out = x + <usize>((n * H + i) * W + j) * bytes;
        let c: usize = 0;
        for (; c + 16 <= bytes; c += 16) {
          const top = f32x4.add(v128.load(p00 + c), v128.load(p00 + bytes + c));
          const bottom = f32x4.add(v128.load(p10 + c), v128.load(p10 + bytes + c));
          v128.store(out + c, f32x4.mul(f32x4.add(top, bottom), f));
        }
        for (; c < bytes; c += 4) {
          const top = load<f32>(p00 + c) + load<f32>(p00 + bytes + c);
          store<f32>(out + c, (top + (load<f32>(p10 + c) + load<f32>(p10 + bytes + c))) * factor);
        }
      }
}
