// RMSprop: Tieleman and Hinton 2012, in torch's form, without centering or momentum. beta2 is torch's alpha.

import { beta2, eps, gradientScale, lr, weightDecay } from "../hyper";

export function rmsprop(p: usize, g: usize, m: usize, v: usize, n: i32): void {
  const gs = f32x4.splat(<f32>gradientScale);
  const a = f32x4.splat(<f32>beta2);
  const c = f32x4.splat(<f32>(1.0 - beta2));
  const e = f32x4.splat(<f32>eps);
  const w = f32x4.splat(<f32>weightDecay);
  const rate = f32x4.splat(<f32>lr);
  const end = p + (<usize>n << 2);
  while (p < end) {
    const theta = v128.load(p);
    const gradient = f32x4.add(f32x4.mul(v128.load(g), gs), f32x4.mul(theta, w));
    const v1 = f32x4.add(f32x4.mul(v128.load(v), a), f32x4.mul(f32x4.mul(gradient, gradient), c));
    v128.store(v, v1);
    v128.store(p, f32x4.sub(theta, f32x4.mul(rate, f32x4.div(gradient, f32x4.add(f32x4.sqrt(v1), e)))));
    p += 16;
    g += 16;
    v += 16;
  }
}
