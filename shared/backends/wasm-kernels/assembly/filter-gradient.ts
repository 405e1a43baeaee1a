// The filter gradient of any convolution; those of 3x3 and stride 1 have winograd.ts.

import { accumulate, splat } from "./lanes";

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
