// AdamW: Loshchilov and Hutter 2019, in torch's form: weight decay apart from the gradient.

import { lr, weightDecay } from "../hyper";
import { moveByMoments } from "../moments";

export function adamw(p: usize, g: usize, m: usize, v: usize, n: i32): void {
  moveByMoments(p, g, m, v, n, 1.0 - lr * weightDecay, 0.0);
}
