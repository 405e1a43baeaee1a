// What Adam and AdamW share.

import { beta1, beta2, correction1, correction2, eps, gradientScale, lr } from "./hyper";

/** `decay` multiplies p first (AdamW's 1 - lr * weightDecay, else 1); `l2` adds l2 * p to the gradient. */
export function moveByMoments(p: usize, g: usize, m: usize, v: usize, n: i32, decay: f64, l2: f64): void {
  const gs = f32x4.splat(<f32>gradientScale);
  const b1 = f32x4.splat(<f32>beta1);
  const c1 = f32x4.splat(<f32>(1.0 - beta1));
  const b2 = f32x4.splat(<f32>beta2);
  const c2 = f32x4.splat(<f32>(1.0 - beta2));
  const e = f32x4.splat(<f32>eps);
  const d = f32x4.splat(<f32>decay);
  const w = f32x4.splat(<f32>l2);
  const stepSize = f32x4.splat(<f32>(lr / correction1));
  const root = f32x4.splat(<f32>sqrt(correction2));
  const end = p + (<usize>n << 2);
  // Sixteen floats a turn, because what V8 makes of four a turn takes three times as long; the bits are the same.
  while (p + 64 <= end) {
    four(p, g, m, v, gs, b1, c1, b2, c2, e, d, w, stepSize, root);
    four(p + 16, g + 16, m + 16, v + 16, gs, b1, c1, b2, c2, e, d, w, stepSize, root);
    four(p + 32, g + 32, m + 32, v + 32, gs, b1, c1, b2, c2, e, d, w, stepSize, root);
    four(p + 48, g + 48, m + 48, v + 48, gs, b1, c1, b2, c2, e, d, w, stepSize, root);
    p += 64;
    g += 64;
    m += 64;
    v += 64;
  }
  while (p < end) {
    four(p, g, m, v, gs, b1, c1, b2, c2, e, d, w, stepSize, root);
    p += 16;
    g += 16;
    m += 16;
    v += 16;
  }
}

// @ts-ignore: decorator
@inline
function four(
  p: usize,
  g: usize,
  m: usize,
  v: usize,
  gs: v128,
  b1: v128,
  c1: v128,
  b2: v128,
  c2: v128,
  e: v128,
  d: v128,
  w: v128,
  stepSize: v128,
  root: v128,
): void {
  const theta = v128.load(p);
  const gradient = f32x4.add(f32x4.mul(v128.load(g), gs), f32x4.mul(theta, w));
  const m1 = f32x4.add(f32x4.mul(v128.load(m), b1), f32x4.mul(gradient, c1));
  const v1 = f32x4.add(f32x4.mul(v128.load(v), b2), f32x4.mul(f32x4.mul(gradient, gradient), c2));
  v128.store(m, m1);
  v128.store(v, v1);
  const denominator = f32x4.add(f32x4.div(f32x4.sqrt(v1), root), e);
  v128.store(p, f32x4.sub(f32x4.mul(theta, d), f32x4.mul(stepSize, f32x4.div(m1, denominator))));
}
