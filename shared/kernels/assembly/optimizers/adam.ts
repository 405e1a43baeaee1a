// Adam: Kingma and Ba 2015, in torch's form, with weight decay as L2 in the gradient. An optimizer's kernel moves n floats
// of parameters p and of its moments m and v by the gradient g; it gets the constants of the job file as float64 and rounds
// each once. correction1 = 1 - beta1^t, correction2 = 1 - beta2^t. A pointer to a moment that it does not keep is 0.

import { moveByMoments } from "../moments";

export function adam(
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
  moveByMoments(p, g, m, v, n, gradientScale, lr, beta1, beta2, eps, 1.0, weightDecay, correction1, correction2);
}
