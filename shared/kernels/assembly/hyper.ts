// The constants of an optimizer's step, as float64: set once a step in every thread, read by the kernel that follows. Each
// kernel rounds those that it uses once.

/** Multiplies every gradient element first. */
export let gradientScale: f64 = 0;
export let lr: f64 = 0;
export let beta1: f64 = 0;
export let beta2: f64 = 0;
export let eps: f64 = 0;
export let weightDecay: f64 = 0;
/** 1 - beta1^t */
export let correction1: f64 = 0;
/** 1 - beta2^t */
export let correction2: f64 = 0;

export function hyper(scale: f64, rate: f64, b1: f64, b2: f64, epsilon: f64, decay: f64, c1: f64, c2: f64): void {
  gradientScale = scale;
  lr = rate;
  beta1 = b1;
  beta2 = b2;
  eps = epsilon;
  weightDecay = decay;
  correction1 = c1;
  correction2 = c2;
}
