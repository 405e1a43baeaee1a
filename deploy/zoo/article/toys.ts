// Two problems of two numbers each, by plain gradient descent: what a saddle point does to it, and what a minimum. Plain float64.

export interface Place {
  readonly x: number;
  readonly y: number;
}

type Step = (at: Place) => Place;

/** From `start`, `steps` steps: the start first. */
export function walk(step: Step, start: Place, steps: number): Place[] {
  const places = [start];
  for (let k = 0; k < steps; k++) places.push(step(places.at(-1)!));
  return places;
}

/** min over x, max over y of x y, both at once: sqrt(1 + h^2) times as far from (0, 0) after every step. */
export const simultaneous =
  (h: number): Step =>
  ({ x, y }) => ({ x: x - h * y, y: y + h * x });

/** The same in turn: for h below 2 it circles, and comes no nearer (Gidel et al. 2019). */
export const alternating =
  (h: number): Step =>
  ({ x, y }) => {
    const moved = x - h * y;
    return { x: moved, y: y + h * moved };
  };

/** At once, where y pays for its slope: R1 on the Dirac-GAN, which then converges (Mescheder et al. 2018, Thm. 4.1). */
export const regularised =
  (h: number, gamma: number): Step =>
  ({ x, y }) => ({ x: x - h * y, y: y + h * (x - gamma * y) });

/** What is to be denoised: x_0 ~ N(mean, 1), x_t = alpha x_0 + sigma eps. */
const GIVEN = { mean: 0.5, alpha: 0.6, sigma: 0.8 } as const;

/** D(x_t) = x x_t + y that has the least E|D(x_t) - x_0|^2. */
export function bestDenoiser({ mean, alpha, sigma } = GIVEN): Place {
  const x = alpha / (alpha * alpha + sigma * sigma);
  return { x, y: mean * (1 - alpha * x) };
}

/** Down the slope of that error, which is known in closed form. */
export const denoising =
  (h: number, { mean, alpha, sigma } = GIVEN): Step =>
  ({ x, y }) => {
    const off = alpha * x - 1;
    const dx = 2 * (alpha * off * (1 + mean * mean) + x * sigma * sigma + alpha * mean * y);
    return { x: x - h * dx, y: y - h * 2 * (y + mean * off) };
  };

export const distance = (a: Place, b: Place): number => Math.hypot(a.x - b.x, a.y - b.y);
