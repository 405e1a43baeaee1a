// 3x3 convolutions of stride 1 by Winograd's minimal filtering F(2x2, 3x3) (Lavin and Gray, "Fast algorithms for
// convolutional neural networks", CVPR 2016): tiles of 4x4 pixels, whose steps of two give 2x2 outputs each with 16
// multiplications instead of 36. Filter, tiles and outputs are transformed by sums; between them stand 16 plain products.
// Ci is a multiple of 4, Co of 8.

import { gemm } from "./gemm";
import { accumulate, add, sub } from "./lanes";

/** u[16, Ci, Co] = G g G^T of a filter w[3, 3, Ci, Co]. */
export function winogradFilter(w: usize, u: usize, Ci: i32, Co: i32): void {
  const plane = <usize>(Ci * Co) << 2;
  const half = f32x4.splat(0.5);
  for (let at: usize = 0; at < plane; at += 16)
    for (let column = 0; column < 3; column++) {
      // Rows of G times one column of g; columns are finished below, once all three are there.
      const g0 = v128.load(w + <usize>column * plane + at);
      const g1 = v128.load(w + <usize>(3 + column) * plane + at);
      const g2 = v128.load(w + <usize>(6 + column) * plane + at);
      const outer = add(g0, g2);
      v128.store(u + <usize>column * plane + at, g0);
      v128.store(u + <usize>(4 + column) * plane + at, f32x4.mul(half, add(outer, g1)));
      v128.store(u + <usize>(8 + column) * plane + at, f32x4.mul(half, sub(outer, g1)));
      v128.store(u + <usize>(12 + column) * plane + at, g2);
    }
  for (let row = 0; row < 4; row++) {
    const out = u + <usize>(4 * row) * plane;
    for (let at: usize = 0; at < plane; at += 16) {
      const g0 = v128.load(out + at);
      const g1 = v128.load(out + plane + at);
      const g2 = v128.load(out + 2 * plane + at);
      const outer = add(g0, g2);
      v128.store(out + plane + at, f32x4.mul(half, add(outer, g1)));
      v128.store(out + 2 * plane + at, f32x4.mul(half, sub(outer, g1)));
      v128.store(out + 3 * plane + at, g2);
    }
  }
}

/** An image with zeros around it: [2 th + 2, 2 tw + 2, C], the image's first pixel at (top, left). */
function padded(x: usize, out: usize, H: i32, W: i32, C: i32, th: i32, tw: i32, top: i32, left: i32): void {
  const pixel = <usize>C << 2;
  const row = <usize>(2 * tw + 2) * pixel;
  const width = min(W, 2 * tw + 2 - left);
  memory.fill(out, 0, <usize>(2 * th + 2) * row);
  for (let i = 0; i < min(H, 2 * th + 2 - top); i++)
    memory.copy(out + <usize>(i + top) * row + <usize>left * pixel, x + <usize>(i * W) * pixel, <usize>width * pixel);
}

/** v[16, rows, C] = B^T d B of tiles [from, to) of a padded image; rows beyond the tiles are 0. */
function transformTiles(image: usize, v: usize, from: i32, to: i32, rows: i32, C: i32, tw: i32): void {
  const pixel = <usize>C << 2;
  const line = <usize>(2 * tw + 2) * pixel;
  const plane = <usize>rows * pixel;
  for (let t = from; t < to; t++) {
    const corner = image + <usize>(2 * (t / tw)) * line + <usize>(2 * (t % tw)) * pixel;
    const out = v + <usize>(t - from) * pixel;
    for (let c: usize = 0; c < pixel; c += 16) {
      const d = corner + c;
      const o = out + c;
      for (let r = 0; r < 4; r++) {
        // Row r of B^T d: two rows of d, added or subtracted.
        const first = d + (r == 0 ? 0 : r == 2 ? 2 * line : line);
        const second = d + (r == 2 ? line : r == 3 ? 3 * line : 2 * line);
        let e0: v128, e1: v128, e2: v128, e3: v128;
        if (r == 1) {
          e0 = add(v128.load(first), v128.load(second));
          e1 = add(v128.load(first + pixel), v128.load(second + pixel));
          e2 = add(v128.load(first + 2 * pixel), v128.load(second + 2 * pixel));
          e3 = add(v128.load(first + 3 * pixel), v128.load(second + 3 * pixel));
        } else {
          e0 = sub(v128.load(first), v128.load(second));
          e1 = sub(v128.load(first + pixel), v128.load(second + pixel));
          e2 = sub(v128.load(first + 2 * pixel), v128.load(second + 2 * pixel));
          e3 = sub(v128.load(first + 3 * pixel), v128.load(second + 3 * pixel));
        }
        const p = o + <usize>(4 * r) * plane;
        v128.store(p, sub(e0, e2));
        v128.store(p + plane, add(e1, e2));
        v128.store(p + 2 * plane, sub(e2, e1));
        v128.store(p + 3 * plane, sub(e1, e3));
      }
    }
  }
  const used = <usize>(to - from) * pixel;
  if (used < plane) for (let k = 0; k < 16; k++) memory.fill(v + <usize>k * plane + used, 0, plane - used);
}

/** y = A^T m A of m[16, rows, Co], plus the bias: outputs of tiles [from, to); what lies beyond Ho x Wo is dropped. */
function transformOutputs(m: usize, bias: usize, y: usize, from: i32, to: i32, rows: i32, Ho: i32, Wo: i32, Co: i32, tw: i32): void {
  const pixel = <usize>Co << 2;
  const plane = <usize>rows * pixel;
  for (let t = from; t < to; t++) {
    const i = 2 * (t / tw);
    const j = 2 * (t % tw);
    const tall = i + 1 < Ho;
    const wide = j + 1 < Wo;
    const out = y + <usize>(i * Wo + j) * pixel;
    const below = out + <usize>Wo * pixel;
    const at = m + <usize>(t - from) * pixel;
    for (let c: usize = 0; c < pixel; c += 16) {
      const b = bias ? v128.load(bias + c) : f32x4.splat(0);
      const p = at + c;
      const r0 = outputRow(p, plane);
      const r1 = outputRow(p + 4 * plane, plane);
      const r2 = outputRow(p + 8 * plane, plane);
      const s0 = outputRowSecond(p, plane);
      const s1 = outputRowSecond(p + 4 * plane, plane);
      const s2 = outputRowSecond(p + 8 * plane, plane);
      v128.store(out + c, add(add(add(r0, r1), r2), b));
      if (wide) v128.store(out + pixel + c, add(add(add(s0, s1), s2), b));
      if (!tall) continue;
      v128.store(below + c, add(sub(sub(r1, r2), outputRow(p + 12 * plane, plane)), b));
      if (wide) v128.store(below + pixel + c, add(sub(sub(s1, s2), outputRowSecond(p + 12 * plane, plane)), b));
    }
  }
}

// @ts-ignore: decorator
@inline
function outputRow(p: usize, plane: usize): v128 {
  return add(add(v128.load(p), v128.load(p + plane)), v128.load(p + 2 * plane));
}
// @ts-ignore: decorator
@inline
function outputRowSecond(p: usize, plane: usize): v128 {
  return sub(sub(v128.load(p + plane), v128.load(p + 2 * plane)), v128.load(p + 3 * plane));
}

/**
 * y[B, Ho, Wo, Co] = x[B, H, W, Ci] convolved with a transformed filter, plus a bias (0: none). `scratch` holds a padded
 * image, then 16 `rows` (Ci + Co) floats; rows, a multiple of 4, is how many tiles are computed at once.
 */
export function winogradConvolution(
  x: usize, u: usize, bias: usize, y: usize, scratch: usize,
  B: i32, H: i32, W: i32, Ci: i32, Ho: i32, Wo: i32, Co: i32, top: i32, left: i32, rows: i32,
): void {
  const th = (Ho + 1) / 2;
  const tw = (Wo + 1) / 2;
  const v = scratch + (<usize>((2 * th + 2) * (2 * tw + 2) * Ci) << 2);
  const m = v + (<usize>(16 * rows * Ci) << 2);
  for (let n = 0; n < B; n++) {
    padded(x + (<usize>(n * H * W * Ci) << 2), scratch, H, W, Ci, th, tw, top, left);
    for (let from = 0; from < th * tw; from += rows) {
      const to = min(from + rows, th * tw);
      transformTiles(scratch, v, from, to, rows, Ci, tw);
      for (let k = 0; k < 16; k++)
        gemm(
          v + (<usize>(k * rows * Ci) << 2),
          u + (<usize>(k * Ci * Co) << 2),
          m + (<usize>(k * rows * Co) << 2),
          rows, Ci, Co,
        );
      transformOutputs(m, bias, y + (<usize>(n * Ho * Wo * Co) << 2), from, to, rows, Ho, Wo, Co, tw);
    }
  }
}

/** z[16, rows, Co] = A dy A^T of tiles [from, to); what lies beyond Ho x Wo is 0. */
function transformGradients(dy: usize, z: usize, from: i32, to: i32, rows: i32, Ho: i32, Wo: i32, Co: i32, tw: i32): void {
  const pixel = <usize>Co << 2;
  const plane = <usize>rows * pixel;
  const zero = f32x4.splat(0);
  for (let t = from; t < to; t++) {
    const i = 2 * (t / tw);
    const j = 2 * (t % tw);
    const tall = i + 1 < Ho;
    const wide = j + 1 < Wo;
    const at = dy + <usize>(i * Wo + j) * pixel;
    const below = at + <usize>Wo * pixel;
    const out = z + <usize>(t - from) * pixel;
    for (let c: usize = 0; c < pixel; c += 16) {
      const y00 = v128.load(at + c);
      const y01 = wide ? v128.load(at + pixel + c) : zero;
      const y10 = tall ? v128.load(below + c) : zero;
      const y11 = tall && wide ? v128.load(below + pixel + c) : zero;
      gradientRow(out + c, plane, y00, y01);
      gradientRow(out + 4 * plane + c, plane, add(y00, y10), add(y01, y11));
      gradientRow(out + 8 * plane + c, plane, sub(y00, y10), sub(y01, y11));
      gradientRow(out + 12 * plane + c, plane, f32x4.neg(y10), f32x4.neg(y11));
    }
  }
}

// @ts-ignore: decorator
@inline
function gradientRow(p: usize, plane: usize, a: v128, b: v128): void {
  v128.store(p, a);
  v128.store(p + plane, add(a, b));
  v128.store(p + 2 * plane, sub(a, b));
  v128.store(p + 3 * plane, f32x4.neg(b));
}

/** du[Ci, Co] += v^T z over so many tiles, in tiles of 4 x 8 in registers. */
function addProducts(v: usize, z: usize, du: usize, tiles: i32, Ci: i32, Co: i32): void {
  const vRow = <usize>Ci << 2;
  const zRow = <usize>Co << 2;
  for (let ci = 0; ci < Ci; ci += 4)
    for (let co = 0; co < Co; co += 8) {
      let s00 = f32x4.splat(0), s01 = f32x4.splat(0), s10 = f32x4.splat(0), s11 = f32x4.splat(0);
      let s20 = f32x4.splat(0), s21 = f32x4.splat(0), s30 = f32x4.splat(0), s31 = f32x4.splat(0);
      let pv = v + (<usize>ci << 2);
      let pz = z + (<usize>co << 2);
      for (let t = 0; t < tiles; t++) {
        const z0 = v128.load(pz);
        const z1 = v128.load(pz, 16);
        const v0 = v128.load32_splat(pv);
        const v1 = v128.load32_splat(pv, 4);
        s00 = add(s00, f32x4.mul(v0, z0));
        s01 = add(s01, f32x4.mul(v0, z1));
        s10 = add(s10, f32x4.mul(v1, z0));
        s11 = add(s11, f32x4.mul(v1, z1));
        const v2 = v128.load32_splat(pv, 8);
        const v3 = v128.load32_splat(pv, 12);
        s20 = add(s20, f32x4.mul(v2, z0));
        s21 = add(s21, f32x4.mul(v2, z1));
        s30 = add(s30, f32x4.mul(v3, z0));
        s31 = add(s31, f32x4.mul(v3, z1));
        pv += vRow;
        pz += zRow;
      }
      const out = du + (<usize>(ci * Co + co) << 2);
      accumulate(out, s00);
      accumulate(out + 16, s01);
      accumulate(out + zRow, s10);
      accumulate(out + zRow + 16, s11);
      accumulate(out + 2 * zRow, s20);
      accumulate(out + 2 * zRow + 16, s21);
      accumulate(out + 3 * zRow, s30);
      accumulate(out + 3 * zRow + 16, s31);
    }
}

/**
 * dw[3, 3, Ci, Co]: the gradient of winogradConvolution by its filter, through the same transforms. `scratch` holds a
 * padded image, 16 `rows` (Ci + Co) floats and 16 Ci Co. Images and their tiles are added in order.
 */
export function winogradFilterGradient(
  x: usize, dy: usize, dw: usize, scratch: usize,
  B: i32, H: i32, W: i32, Ci: i32, Ho: i32, Wo: i32, Co: i32, top: i32, left: i32, rows: i32,
): void {
  const th = (Ho + 1) / 2;
  const tw = (Wo + 1) / 2;
  const v = scratch + (<usize>((2 * th + 2) * (2 * tw + 2) * Ci) << 2);
  const z = v + (<usize>(16 * rows * Ci) << 2);
  const du = z + (<usize>(16 * rows * Co) << 2);
  const plane = <usize>(Ci * Co) << 2;
  memory.fill(du, 0, 16 * plane);
  for (let n = 0; n < B; n++) {
    padded(x + (<usize>(n * H * W * Ci) << 2), scratch, H, W, Ci, th, tw, top, left);
    for (let from = 0; from < th * tw; from += rows) {
      const to = min(from + rows, th * tw);
      transformTiles(scratch, v, from, to, rows, Ci, tw);
      transformGradients(dy + (<usize>(n * Ho * Wo * Co) << 2), z, from, to, rows, Ho, Wo, Co, tw);
      for (let k = 0; k < 16; k++)
        addProducts(
          v + (<usize>(k * rows * Ci) << 2),
          z + (<usize>(k * rows * Co) << 2),
          du + <usize>k * plane,
          to - from, Ci, Co,
        );
    }
  }
  // dw = G^T du G: columns first, into the planes that they came from, then rows.
  const half = f32x4.splat(0.5);
  for (let at: usize = 0; at < plane; at += 16) {
    for (let row = 0; row < 4; row++) {
      const p = du + <usize>(4 * row) * plane + at;
      const d1 = v128.load(p + plane);
      const d2 = v128.load(p + 2 * plane);
      const sum = f32x4.mul(half, add(d1, d2));
      v128.store(p + 2 * plane, add(sum, v128.load(p + 3 * plane)));
      v128.store(p + plane, f32x4.mul(half, sub(d1, d2)));
      v128.store(p, add(v128.load(p), sum));
    }
    for (let column = 0; column < 3; column++) {
      const p = du + <usize>column * plane + at;
      const d1 = v128.load(p + 4 * plane);
      const d2 = v128.load(p + 8 * plane);
      const sum = f32x4.mul(half, add(d1, d2));
      const out = dw + <usize>column * plane + at;
      v128.store(out, add(v128.load(p), sum));
      v128.store(out + 3 * plane, f32x4.mul(half, sub(d1, d2)));
      v128.store(out + 6 * plane, add(sum, v128.load(p + 12 * plane)));
    }
  }
}
