// The order in which RePaint walks a way: Lugmayr et al. 2022, Section 4.2 and App. B. A stretch of so many steps is walked, its end
// is noised again to where it began, and so on; then the next stretch.

export interface Resampling {
  /** r: how often each stretch is walked. */
  readonly times: number;
  /** j: its steps. */
  readonly length: number;
}

/** A part of the way from one position to another; what follows begins where the x at its end is noised to. */
interface Stretch {
  readonly from: number;
  readonly to: number;
}

/**
 * As the authors' schedule, in positions: 0 is the noisiest, `steps` the images. Nothing is noised again that is an image
 * already, and nothing beyond the noisiest level.
 */
export function stretchesOf(steps: number, { times, length }: Resampling): Stretch[] {
  const left = new Map<number, number>();
  for (let position = steps - 1; position >= length; position -= length) left.set(position, times - 1);
  const stretches: Stretch[] = [];
  let from = 0;
  for (let position = 1; position <= steps; position++) {
    const again = left.get(position) ?? 0;
    if (again > 0) {
      left.set(position, again - 1);
      stretches.push({ from, to: position });
      from = position - length;
      position = from;
    }
  }
  return [...stretches, { from, to: steps }];
}
