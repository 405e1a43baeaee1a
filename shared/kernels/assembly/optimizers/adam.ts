// Adam: Kingma and Ba 2015, in torch's form, with weight decay as L2 in the gradient. An optimizer's kernel moves n floats of
// parameters p and of its moments m and v by the gradient g. A pointer to a moment that it does not keep is 0.

import { weightDecay } from "../hyper";
import { moveByMoments } from "../moments";

export function adam(p: usize, g: usize, m: usize, v: usize, n: i32): void {
  moveByMoments(p, g, m, v, n, 1.0, weightDecay);
}
