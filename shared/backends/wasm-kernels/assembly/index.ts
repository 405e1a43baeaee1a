// Training kernels in the heap of TensorFlow.js's wasm backend, compiled by AssemblyScript (../build.mjs). Pointers are
// byte offsets in that heap; tensors are float32, channels last. No static data, no allocation, no relaxed SIMD.

import { accumulate, splat } from "./lanes";

export * from "./gemm";
export * from "./winograd";

/** e^x per lane, to 2 ulp, for |x| <= 87: 2^n times a polynomial on [-ln2/2, ln2/2] (Taylor to the 7th order). */
// @ts-expect-error: decorator
@inline
function expLanes(x: v128): v128 {
  x = f32x4.min(f32x4.max(x, splat(-87)), splat(87));
  const n = f32x4.nearest(f32x4.mul(x, splat(1.44269504088896341)));
  const r = f32x4.sub(f32x4.sub(x, f32x4.mul(n, splat(0.693359375))), f32x4.mul(n, splat(-2.12194440e-4)));
  let p = splat(1.0 / 5040.0);
  p = f32x4.add(f32x4.mul(p, r), splat(1.0 / 720.0));
  p = f32x4.add(f32x4.mul(p, r), splat(1.0 / 120.0));
  p = f32x4.add(f32x4.mul(p, r), splat(1.0 / 24.0));
  p = f32x4.add(f32x4.mul(p, r), splat(1.0 / 6.0));
  p = f32x4.add(f32x4.mul(p, r), splat(0.5));
  p = f32x4.add(f32x4.mul(p, r), splat(1));
  p = f32x4.add(f32x4.mul(p, r), splat(1));
  const scale = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23);
  return f32x4.mul(p, scale);
}

// @ts-expect-error: decorator
@inline
function sigmoidLanes(x: v128): v128 {
  return f32x4.div(splat(1), f32x4.add(splat(1), expLanes(f32x4.neg(x))));
}

/** y = x sigmoid(x); n is rounded up to 4: tensors of the heap have that slack (16-byte allocations). */
export function silu(x: usize, y: usize, n: i32): void {
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const v = v128.load(x + (<usize>i << 2));
    v128.store(y + (<usize>i << 2), f32x4.mul(v, sigmoidLanes(v)));
  }
  for (; i < n; i++) {
    const v = splat(load<f32>(x + (<usize>i << 2)));
    store<f32>(y + (<usize>i << 2), f32x4.extract_lane(f32x4.mul(v, sigmoidLanes(v)), 0));
  }
}

/** dx = dy s (1 + x (1 - s)), s = sigmoid(x). */
export function siluGrad(x: usize, dy: usize, dx: usize, n: i32): void {
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const at = <usize>i << 2;
    v128.store(dx + at, siluGradLanes(v128.load(x + at), v128.load(dy + at)));
  }
  for (; i < n; i++) {
    const at = <usize>i << 2;
    store<f32>(dx + at, f32x4.extract_lane(siluGradLanes(splat(load<f32>(x + at)), splat(load<f32>(dy + at))), 0));
  }
}

// @ts-expect-error: decorator
@inline
function siluGradLanes(x: v128, dy: v128): v128 {
  const s = sigmoidLanes(x);
  return f32x4.mul(dy, f32x4.mul(s, f32x4.add(splat(1), f32x4.mul(x, f32x4.sub(splat(1), s)))));
}

/**
 * Group normalization (Wu and He 2018) with an affine map per sample and channel, and SiLU behind it if asked:
 * y = f(a xhat + b), a and b [B, C] (rows `stride` floats apart: 0 repeats one row for all samples).
 * stats [B, G, 2] receives mean and 1 / sqrt(var + eps), for the gradient. C is a multiple of 4.
 * One pass sums each channel and its squares, counted from its first pixel; groups are put together in float64.
 */
export function groupNorm(
  x: usize, a: usize, b: usize, y: usize, stats: usize, sums: usize,
  B: i32, HW: i32, C: i32, G: i32, stride: i32, eps: f64, withSilu: bool,
): void {
  const perGroup = C / G;
  const row = <usize>C << 2;
  for (let n = 0; n < B; n++) {
    const image = x + <usize>n * HW * row;
    moments(image, sums, HW, C);
    for (let g = 0; g < G; g++) {
      // Channel means from the shifted sums; then the group's mean and variance from its channels'.
      const pixels = <f64>HW;
      let mean: f64 = 0;
      for (let c = g * perGroup; c < (g + 1) * perGroup; c++)
        mean += <f64>load<f32>(image + (<usize>c << 2)) + <f64>load<f32>(sums + (<usize>c << 2)) / pixels;
      mean /= <f64>perGroup;
      let scatter: f64 = 0;
      for (let c = g * perGroup; c < (g + 1) * perGroup; c++) {
        const s = <f64>load<f32>(sums + (<usize>c << 2));
        const gap = <f64>load<f32>(image + (<usize>c << 2)) + s / pixels - mean;
        scatter += <f64>load<f32>(sums + row + (<usize>c << 2)) - (s * s) / pixels + pixels * gap * gap;
      }
      const variance = max(scatter / (<f64>perGroup * pixels), 0);
      const at = stats + (<usize>(n * G + g) << 3);
      store<f32>(at, <f32>mean);
      store<f32>(at, <f32>(1.0 / sqrt(variance + eps)), 4);
      // Per channel y = f(p (x - x_0) + q): p = a rstd, q = b + p (x_0 - mean). Its sums are not needed any more.
      for (let c = g * perGroup; c < (g + 1) * perGroup; c++) {
        const gain = load<f32>(a + (<usize>(n * stride + c) << 2)) * load<f32>(at, 4);
        const shift = <f64>gain * (<f64>load<f32>(image + (<usize>c << 2)) - mean);
        store<f32>(sums + (<usize>c << 2), gain);
        store<f32>(sums + row + (<usize>c << 2), <f32>(<f64>load<f32>(b + (<usize>(n * stride + c) << 2)) + shift));
      }
    }
    const out = y + <usize>n * HW * row;
    for (let c: usize = 0; c < row; c += 16) {
      const p = v128.load(sums + c);
      const q = v128.load(sums + row + c);
      const first = v128.load(image + c);
      for (let i = 0; i < HW; i++) {
        const at = <usize>i * row + c;
        let z = f32x4.add(f32x4.mul(f32x4.sub(v128.load(image + at), first), p), q);
        if (withSilu) z = f32x4.mul(z, sigmoidLanes(z));
        v128.store(out + at, z);
      }
    }
  }
}

/**
 * Sums over the rows of one image, channel by channel, in blocks of rows so that rounding stays small. Values count from
 * the image's first pixel, so that a large mean does not drown a small spread.
 * First pass (moments): sums[0, C) = sum of x - x_0, sums[C, 2C) = sum of (x - x_0)^2.
 */
function moments(x: usize, sums: usize, HW: i32, C: i32): void {
  const row = <usize>C << 2;
  for (let c: usize = 0; c < row; c += 16) {
    const first = v128.load(x + c);
    let total = splat(0);
    let total2 = splat(0);
    for (let start = 0; start < HW; start += 32) {
      let s = splat(0);
      let q = splat(0);
      const end = min(start + 32, HW);
      for (let i = start; i < end; i++) {
        const d = f32x4.sub(v128.load(x + <usize>i * row + c), first);
        s = f32x4.add(s, d);
        q = f32x4.add(q, f32x4.mul(d, d));
      }
      total = f32x4.add(total, s);
      total2 = f32x4.add(total2, q);
    }
    v128.store(sums + c, total);
    v128.store(sums + row + c, total2);
  }
}

/** Second pass (gradient): sums[0, C) = sum of g, sums[C, 2C) = sum of g (x - x_0). */
function gradientMoments(g: usize, x: usize, sums: usize, HW: i32, C: i32): void {
  const row = <usize>C << 2;
  for (let c: usize = 0; c < row; c += 16) {
    const first = v128.load(x + c);
    let total = splat(0);
    let total2 = splat(0);
    for (let start = 0; start < HW; start += 32) {
      let s = splat(0);
      let q = splat(0);
      const end = min(start + 32, HW);
      for (let i = start; i < end; i++) {
        const at = <usize>i * row + c;
        const u = v128.load(g + at);
        s = f32x4.add(s, u);
        q = f32x4.add(q, f32x4.mul(u, f32x4.sub(v128.load(x + at), first)));
      }
      total = f32x4.add(total, s);
      total2 = f32x4.add(total2, q);
    }
    v128.store(sums + c, total);
    v128.store(sums + row + c, total2);
  }
}

/**
 * The gradient of groupNorm: dx, and da, db [B, C] per sample. Writes dz = dy f'(z) into dx first, then in place
 * dx = a rstd (dz - mean_g(a dz)/a ... ): with h = a dz, dx = rstd (h - mean_g(h) - xhat mean_g(h xhat)).
 */
export function groupNormGrad(
  dy: usize, x: usize, a: usize, b: usize, stats: usize, dx: usize, da: usize, db: usize, sums: usize,
  B: i32, HW: i32, C: i32, G: i32, stride: i32, withSilu: bool,
): void {
  const perGroup = C / G;
  const row = <usize>C << 2;
  for (let n = 0; n < B; n++) {
    const image = x + <usize>n * HW * row;
    const grad = dy + <usize>n * HW * row;
    const out = dx + <usize>n * HW * row;
    // dz, through the SiLU if there is one.
    for (let c = 0; c < C; c++) {
      const at = stats + (<usize>(n * G + c / perGroup) << 3);
      const gain = load<f32>(a + (<usize>(n * stride + c) << 2)) * load<f32>(at, 4);
      store<f32>(sums + (<usize>c << 2), gain);
      store<f32>(sums + row + (<usize>c << 2), load<f32>(b + (<usize>(n * stride + c) << 2)) - gain * load<f32>(at));
    }
    for (let c: usize = 0; c < row; c += 16) {
      const p = v128.load(sums + c);
      const q = v128.load(sums + row + c);
      for (let i = 0; i < HW; i++) {
        const at = <usize>i * row + c;
        let g = v128.load(grad + at);
        if (withSilu) g = siluGradLanes(f32x4.add(f32x4.mul(v128.load(image + at), p), q), g);
        v128.store(out + at, g);
      }
    }
    // Per channel: sum dz and sum dz x; from them db, da and the two group means.
    gradientMoments(out, image, sums, HW, C);
    for (let g = 0; g < G; g++) {
      const at = stats + (<usize>(n * G + g) << 3);
      const mean = <f64>load<f32>(at);
      const rstd = <f64>load<f32>(at, 4);
      let h: f64 = 0;
      let hx: f64 = 0;
      for (let c = g * perGroup; c < (g + 1) * perGroup; c++) {
        const s = <f64>load<f32>(sums + (<usize>c << 2));
        const sx = <f64>load<f32>(sums + row + (<usize>c << 2));
        const dGain = (sx + (<f64>load<f32>(image + (<usize>c << 2)) - mean) * s) * rstd;
        const gain = <f64>load<f32>(a + (<usize>(n * stride + c) << 2));
        store<f32>(db + (<usize>(n * C + c) << 2), <f32>s);
        store<f32>(da + (<usize>(n * C + c) << 2), <f32>dGain);
        h += gain * s;
        hx += gain * dGain;
      }
      const count = <f64>(perGroup * HW);
      // dx = rstd a dz - u - w x, with w = rstd^2 mean(h xhat), u = rstd mean(h) - w mean.
      const w = (rstd * rstd * hx) / count;
      const u = (rstd * h) / count - w * mean;
      for (let c = g * perGroup; c < (g + 1) * perGroup; c++) {
        store<f32>(sums + (<usize>c << 2), <f32>(rstd * <f64>load<f32>(a + (<usize>(n * stride + c) << 2))));
        store<f32>(sums + row + (<usize>c << 2), <f32>u);
        store<f32>(sums + 2 * row + (<usize>c << 2), <f32>w);
      }
    }
    for (let c: usize = 0; c < row; c += 16) {
      const p = v128.load(sums + c);
      const u = v128.load(sums + row + c);
      const w = v128.load(sums + 2 * row + c);
      for (let i = 0; i < HW; i++) {
        const at = <usize>i * row + c;
        const value = f32x4.sub(f32x4.mul(p, v128.load(out + at)), f32x4.add(u, f32x4.mul(w, v128.load(image + at))));
        v128.store(out + at, value);
      }
    }
  }
}

/** out[c] = sum over N rows of x[N, C], any C: blocks of 32 rows in float32, blocks added up in float64. */
export function columnSums(x: usize, out: usize, N: i32, C: i32): void {
  const row = <usize>C << 2;
  let c = 0;
  for (; c + 4 <= C; c += 4) {
    let low = f64x2.splat(0), high = f64x2.splat(0);
    for (let start = 0; start < N; start += 32) {
      let s = splat(0);
      const end = min(start + 32, N);
      for (let i = start; i < end; i++) s = f32x4.add(s, v128.load(x + <usize>i * row + (<usize>c << 2)));
      low = f64x2.add(low, f64x2.promote_low_f32x4(s));
      high = f64x2.add(high, f64x2.promote_low_f32x4(i64x2.shuffle(s, s, 1, 0)));
    }
    const at = out + (<usize>c << 2);
    store<f32>(at, <f32>f64x2.extract_lane(low, 0));
    store<f32>(at, <f32>f64x2.extract_lane(low, 1), 4);
    store<f32>(at, <f32>f64x2.extract_lane(high, 0), 8);
    store<f32>(at, <f32>f64x2.extract_lane(high, 1), 12);
  }
  for (; c < C; c++) {
    let total: f64 = 0;
    for (let i = 0; i < N; i++) total += <f64>load<f32>(x + <usize>i * row + (<usize>c << 2));
    store<f32>(out + (<usize>c << 2), <f32>total);
  }
}

/** out[i] = the sum of x[i, n]: blocks of 128 values in float32 lanes, blocks added up in float64. */
export function rowSums(x: usize, out: usize, rows: i32, n: i32): void {
  for (let i = 0; i < rows; i++) {
    const row = x + (<usize>i * n << 2);
    let pair = f64x2.splat(0);
    let j = 0;
    while (j + 4 <= n) {
      let s = splat(0);
      const end = min(j + 128, n - 3);
      for (; j < end; j += 4) s = f32x4.add(s, v128.load(row + (<usize>j << 2)));
      pair = f64x2.add(pair, f64x2.add(f64x2.promote_low_f32x4(s), f64x2.promote_low_f32x4(i64x2.shuffle(s, s, 1, 0))));
    }
    let total = f64x2.extract_lane(pair, 0) + f64x2.extract_lane(pair, 1);
    for (; j < n; j++) total += <f64>load<f32>(row + (<usize>j << 2));
    store<f32>(out + (<usize>i << 2), <f32>total);
  }
}

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

/**
 * The filter gradient of a convolution: dw[kh, kw, Ci, Co] = sum over images and positions of x and dy. Tiles of 4 input
 * by 8 output channels stay in registers while one image's positions run by; images are added in index order, so that
 * rounding stays small and the order is always the same.
 */
export function filterGradient(
  x: usize, dy: usize, dw: usize,
  B: i32, H: i32, W: i32, Ci: i32, Ho: i32, Wo: i32, Co: i32, kh: i32, kw: i32, stride: i32, top: i32, left: i32,
): void {
  memory.fill(dw, 0, <usize>(kh * kw * Ci * Co) << 2);
  const xPixel = <usize>Ci << 2;
  const dyPixel = <usize>Co << 2;
  for (let di = 0; di < kh; di++)
    for (let dj = 0; dj < kw; dj++) {
      // Output positions whose input pixel lies inside the image.
      const iFrom = max(0, (top - di + stride - 1) / stride);
      const iTo = min(Ho, (H - 1 + top - di) / stride + 1);
      const jFrom = max(0, (left - dj + stride - 1) / stride);
      const jTo = min(Wo, (W - 1 + left - dj) / stride + 1);
      const tap = dw + (<usize>((di * kw + dj) * Ci * Co) << 2);
      for (let n = 0; n < B; n++) {
        const image = x + <usize>(n * H * W) * xPixel;
        const grad = dy + <usize>(n * Ho * Wo) * dyPixel;
        let ci = 0;
        for (; ci + 4 <= Ci; ci += 4) {
          let co = 0;
          for (; co + 8 <= Co; co += 8) {
            let s00 = splat(0), s01 = splat(0), s10 = splat(0), s11 = splat(0);
            let s20 = splat(0), s21 = splat(0), s30 = splat(0), s31 = splat(0);
            for (let i = iFrom; i < iTo; i++) {
              let px = image + <usize>((i * stride + di - top) * W + jFrom * stride + dj - left) * xPixel + (<usize>ci << 2);
              let pg = grad + <usize>(i * Wo + jFrom) * dyPixel + (<usize>co << 2);
              for (let j = jFrom; j < jTo; j++) {
                const g0 = v128.load(pg);
                const g1 = v128.load(pg, 16);
                const x0 = v128.load32_splat(px);
                const x1 = v128.load32_splat(px, 4);
                s00 = f32x4.add(s00, f32x4.mul(x0, g0));
                s01 = f32x4.add(s01, f32x4.mul(x0, g1));
                s10 = f32x4.add(s10, f32x4.mul(x1, g0));
                s11 = f32x4.add(s11, f32x4.mul(x1, g1));
                const x2 = v128.load32_splat(px, 8);
                const x3 = v128.load32_splat(px, 12);
                s20 = f32x4.add(s20, f32x4.mul(x2, g0));
                s21 = f32x4.add(s21, f32x4.mul(x2, g1));
                s30 = f32x4.add(s30, f32x4.mul(x3, g0));
                s31 = f32x4.add(s31, f32x4.mul(x3, g1));
                px += xPixel * stride;
                pg += dyPixel;
              }
            }
            const out = tap + (<usize>(ci * Co + co) << 2);
            accumulate(out, s00);
            accumulate(out + 16, s01);
            accumulate(out + dyPixel, s10);
            accumulate(out + dyPixel + 16, s11);
            accumulate(out + 2 * dyPixel, s20);
            accumulate(out + 2 * dyPixel + 16, s21);
            accumulate(out + 3 * dyPixel, s30);
            accumulate(out + 3 * dyPixel + 16, s31);
          }
          for (; co + 4 <= Co; co += 4) {
            let s0 = splat(0), s1 = splat(0), s2 = splat(0), s3 = splat(0);
            for (let i = iFrom; i < iTo; i++) {
              let px = image + <usize>((i * stride + di - top) * W + jFrom * stride + dj - left) * xPixel + (<usize>ci << 2);
              let pg = grad + <usize>(i * Wo + jFrom) * dyPixel + (<usize>co << 2);
              for (let j = jFrom; j < jTo; j++) {
                const g0 = v128.load(pg);
                s0 = f32x4.add(s0, f32x4.mul(v128.load32_splat(px), g0));
                s1 = f32x4.add(s1, f32x4.mul(v128.load32_splat(px, 4), g0));
                s2 = f32x4.add(s2, f32x4.mul(v128.load32_splat(px, 8), g0));
                s3 = f32x4.add(s3, f32x4.mul(v128.load32_splat(px, 12), g0));
                px += xPixel * stride;
                pg += dyPixel;
              }
            }
            const out = tap + (<usize>(ci * Co + co) << 2);
            accumulate(out, s0);
            accumulate(out + dyPixel, s1);
            accumulate(out + 2 * dyPixel, s2);
            accumulate(out + 3 * dyPixel, s3);
          }
          for (; co < Co; co++)
            for (let c = ci; c < ci + 4; c++)
              filterElement(image, grad, tap, c, co, iFrom, iTo, jFrom, jTo, W, Wo, Ci, Co, stride, di - top, dj - left);
        }
        for (; ci < Ci; ci++)
          for (let co = 0; co < Co; co++)
            filterElement(image, grad, tap, ci, co, iFrom, iTo, jFrom, jTo, W, Wo, Ci, Co, stride, di - top, dj - left);
      }
    }
}

/** One element of one tap over one image, for channel counts that are no multiple of 4. */
function filterElement(
  image: usize, grad: usize, tap: usize, ci: i32, co: i32,
  iFrom: i32, iTo: i32, jFrom: i32, jTo: i32, W: i32, Wo: i32, Ci: i32, Co: i32, stride: i32, di: i32, dj: i32,
): void {
  let s: f32 = 0;
  for (let i = iFrom; i < iTo; i++)
    for (let j = jFrom; j < jTo; j++) {
      const u = load<f32>(image + (<usize>(((i * stride + di) * W + j * stride + dj) * Ci + ci) << 2));
      s += u * load<f32>(grad + (<usize>((i * Wo + j) * Co + co) << 2));
    }
  const out = tap + (<usize>(ci * Co + co) << 2);
  store<f32>(out, load<f32>(out) + s);
}
