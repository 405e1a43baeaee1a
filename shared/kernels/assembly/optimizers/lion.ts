// Lion: Chen et al. 2023, Algorithm 2: the sign of an interpolation of momentum and gradient, and weight decay apart.

import { beta1, beta2, gradientScale, lr, weightDecay } from "../hyper";

export function lion(p: usize, g: usize, m: usize, v: usize, n: i32): void {
  const gs = f32x4.splat(<f32>gradientScale);
  const b1 = f32x4.splat(<f32>beta1);
  const c1 = f32x4.splat(<f32>(1.0 - beta1));
  const b2 = f32x4.splat(<f32>beta2);
  const c2 = f32x4.splat(<f32>(1.0 - beta2));
  const decay = f32x4.splat(<f32>(1.0 - lr * weightDecay));
  const rate = f32x4.splat(<f32>lr);
  const one = f32x4.splat(1);
  const zero = f32x4.splat(0);
  const end = p + (<usize>n << 2);
  while (p < end) {
    const gradient = f32x4.mul(v128.load(g), gs);
    const momentum = v128.load(m);
    const c = f32x4.add(f32x4.mul(momentum, b1), f32x4.mul(gradient, c1));
    const sign = f32x4.sub(v128.and(f32x4.gt(c, zero), one), v128.and(f32x4.lt(c, zero), one));
    v128.store(p, f32x4.sub(f32x4.mul(v128.load(p), decay), f32x4.mul(rate, sign)));
    v128.store(m, f32x4.add(f32x4.mul(momentum, b2), f32x4.mul(gradient, c2)));
    p += 16;
    g += 16;
    m += 16;
  }
}
