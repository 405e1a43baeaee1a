// AdamW: Loshchilov and Hutter 2019, in torch's form: weight decay apart from the gradient.

import { moveByMoments } from "../moments";

export function adamw(
  p: usize,
  g: usize,
  m: usize,
  v: usize,
  n: i32,
  gradientScale: f64,
  lr: f64,
  beta1: f64,
  beta2: f64,
  eps: f64,
  weightDecay: f64,
  correction1: f64,
  correction2: f64,
): void {
  const decay = 1.0 - lr * weightDecay;
  moveByMoments(p, g, m, v, n, gradientScale, lr, beta1, beta2, eps, decay, 0.0, correction1, correction2);
}
