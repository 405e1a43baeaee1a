// SGD with heavy-ball momentum beta1 in torch's form, without dampening: m = beta1 * m + g; p -= lr * m. m is 0 at first.

import { beta1, gradientScale, lr, weightDecay } from "../hyper";

export function sgd(p: usize, g: usize, m: usize, v: usize, n: i32): void {
  const gs = f32x4.splat(<f32>gradientScale);
  const mu = f32x4.splat(<f32>beta1);
  const w = f32x4.splat(<f32>weightDecay);
  const rate = f32x4.splat(<f32>lr);
  const end = p + (<usize>n << 2);
  while (p < end) {
    const theta = v128.load(p);
    const gradient = f32x4.add(f32x4.mul(v128.load(g), gs), f32x4.mul(theta, w));
    const m1 = f32x4.add(f32x4.mul(v128.load(m), mu), gradient);
    v128.store(m, m1);
    v128.store(p, f32x4.sub(theta, f32x4.mul(rate, m1)));
    p += 16;
    g += 16;
    m += 16;
  }
}
