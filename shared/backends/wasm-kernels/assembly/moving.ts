// Values that move: copies, transpositions, zeros in between.

/** x[i] *= factor. */
export function scale(x: usize, n: i32, factor: f64): void {
  for (let i = 0; i < n; i++) store<f32>(x + (<usize>i << 2), <f32>(<f64>load<f32>(x + (<usize>i << 2)) * factor));
}

/** Copies rows of `bytes` (a multiple of 4) between tensors whose rows lie `xStep` and `outStep` bytes apart. */
export function copyRows(x: usize, out: usize, rows: i32, bytes: usize, xStep: usize, outStep: usize): void {
  for (let i = 0; i < rows; i++) {
    if (bytes > 512) memory.copy(out, x, bytes);
    else {
      let at: usize = 0;
      for (; at + 16 <= bytes; at += 16) v128.store(out + at, v128.load(x + at));
      for (; at < bytes; at += 4) store<u32>(out + at, load<u32>(x + at));
    }
    x += xStep;
    out += outStep;
  }
}

/** t[n, m] = x[m, n] transposed. */
export function transpose2d(x: usize, t: usize, m: i32, n: i32): void {
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) store<f32>(t + (<usize>(j * m + i) << 2), load<f32>(x + (<usize>(i * n + j) << 2)));
}

/** The filter of the input gradient: w[kh, kw, Ci, Co] flipped in space, channels exchanged -> [kh, kw, Co, Ci]. */
export function flipFilter(w: usize, out: usize, kh: i32, kw: i32, Ci: i32, Co: i32): void {
  const taps = kh * kw;
  const size = <usize>(Ci * Co) << 2;
  for (let t = 0; t < taps; t++) transpose2d(w + <usize>t * size, out + <usize>(taps - 1 - t) * size, Ci, Co);
}

/** dy[B, H, W, C] with stride - 1 zero rows and columns between its own, inside a zeroed [B, Hs, Ws, C]. */
export function stuffZeros(dy: usize, out: usize, B: i32, H: i32, W: i32, C: i32, Hs: i32, Ws: i32, stride: i32): void {
  const bytes = <usize>C << 2;
  memory.fill(out, 0, <usize>B * Hs * Ws * bytes);
  for (let n = 0; n < B; n++)
    for (let i = 0; i < H; i++)
      for (let j = 0; j < W; j++)
        memory.copy(out + <usize>((n * Hs + i * stride) * Ws + j * stride) * bytes, dy + <usize>((n * H + i) * W + j) * bytes, bytes);
}

/** out[p, q, ...] for a permutation that exchanges outer [m] and inner [n] groups of `block` floats: [m, n, block] -> [n, m, block]. */
export function swapBlocks(x: usize, out: usize, m: i32, n: i32, block: i32): void {
  const bytes = <usize>block << 2;
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) memory.copy(out + <usize>(j * m + i) * bytes, x + <usize>(i * n + j) * bytes, bytes);
}
