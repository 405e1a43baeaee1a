// The matrix product that convolutions and attention are made of.

import { splat } from "./lanes";

/** c[m, n] = a[m, k] b[k, n], row-major. Tiles of 4 x 8 in registers; sums run over k in order. */
export function gemm(a: usize, b: usize, c: usize, m: i32, k: i32, n: i32): void {
  const aRow = <usize>k << 2;
  const bRow = <usize>n << 2;
  let i = 0;
  for (; i + 4 <= m; i += 4) {
    const a0 = a + <usize>i * aRow;
    const out = c + <usize>i * bRow;
    let j = 0;
    for (; j + 8 <= n; j += 8) {
      let s00 = splat(0), s01 = splat(0), s10 = splat(0), s11 = splat(0);
      let s20 = splat(0), s21 = splat(0), s30 = splat(0), s31 = splat(0);
      let pb = b + (<usize>j << 2);
      let pa = a0;
      for (let q = 0; q < k; q++) {
        const b0 = v128.load(pb);
        const b1 = v128.load(pb, 16);
        const x0 = v128.load32_splat(pa);
        const x1 = v128.load32_splat(pa + aRow);
        const x2 = v128.load32_splat(pa + 2 * aRow);
        const x3 = v128.load32_splat(pa + 3 * aRow);
        s00 = f32x4.add(s00, f32x4.mul(x0, b0)); s01 = f32x4.add(s01, f32x4.mul(x0, b1));
        s10 = f32x4.add(s10, f32x4.mul(x1, b0)); s11 = f32x4.add(s11, f32x4.mul(x1, b1));
        s20 = f32x4.add(s20, f32x4.mul(x2, b0)); s21 = f32x4.add(s21, f32x4.mul(x2, b1));
        s30 = f32x4.add(s30, f32x4.mul(x3, b0)); s31 = f32x4.add(s31, f32x4.mul(x3, b1));
        pb += bRow;
        pa += 4;
      }
      const o = out + (<usize>j << 2);
      v128.store(o, s00); v128.store(o, s01, 16);
      v128.store(o + bRow, s10); v128.store(o + bRow, s11, 16);
      v128.store(o + 2 * bRow, s20); v128.store(o + 2 * bRow, s21, 16);
      v128.store(o + 3 * bRow, s30); v128.store(o + 3 * bRow, s31, 16);
    }
    for (; j + 4 <= n; j += 4) {
      let s0 = splat(0), s1 = splat(0), s2 = splat(0), s3 = splat(0);
      let pb = b + (<usize>j << 2);
      let pa = a0;
      for (let q = 0; q < k; q++) {
        const b0 = v128.load(pb);
        s0 = f32x4.add(s0, f32x4.mul(v128.load32_splat(pa), b0));
        s1 = f32x4.add(s1, f32x4.mul(v128.load32_splat(pa + aRow), b0));
        s2 = f32x4.add(s2, f32x4.mul(v128.load32_splat(pa + 2 * aRow), b0));
        s3 = f32x4.add(s3, f32x4.mul(v128.load32_splat(pa + 3 * aRow), b0));
        pb += bRow;
        pa += 4;
      }
      const o = out + (<usize>j << 2);
      v128.store(o, s0); v128.store(o + bRow, s1); v128.store(o + 2 * bRow, s2); v128.store(o + 3 * bRow, s3);
    }
    for (; j < n; j++)
      for (let r = 0; r < 4; r++) store<f32>(out + <usize>r * bRow + (<usize>j << 2), dot(a0 + <usize>r * aRow, b + (<usize>j << 2), bRow, k));
  }
  for (; i < m; i++) {
    const out = c + <usize>i * bRow;
    const a0 = a + <usize>i * aRow;
    let j = 0;
    for (; j + 4 <= n; j += 4) {
      let s = splat(0);
      let pb = b + (<usize>j << 2);
      for (let q = 0; q < k; q++) {
        s = f32x4.add(s, f32x4.mul(v128.load32_splat(a0 + (<usize>q << 2)), v128.load(pb)));
        pb += bRow;
      }
      v128.store(out + (<usize>j << 2), s);
    }
    for (; j < n; j++) store<f32>(out + (<usize>j << 2), dot(a0, b + (<usize>j << 2), bRow, k));
  }
}

function dot(a: usize, b: usize, bRow: usize, k: i32): f32 {
  let s: f32 = 0;
  for (let q = 0; q < k; q++) s += load<f32>(a + (<usize>q << 2)) * load<f32>(b + <usize>q * bRow);
  return s;
}
