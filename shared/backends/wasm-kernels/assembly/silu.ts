// SiLU (Hendrycks and Gimpel 2016), and the exponential under it.

import { splat } from "./lanes";

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
export function sigmoidLanes(x: v128): v128 {
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
export function siluGradLanes(x: v128, dy: v128): v128 {
  const s = sigmoidLanes(x);
  return f32x4.mul(dy, f32x4.mul(s, f32x4.add(splat(1), f32x4.mul(x, f32x4.sub(splat(1), s)))));
}
