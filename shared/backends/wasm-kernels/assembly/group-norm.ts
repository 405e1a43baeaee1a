// Group norm with SiLU behind it, and both gradients.

import { splat } from "./lanes";
import { sigmoidLanes, siluGradLanes } from "./silu";

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
