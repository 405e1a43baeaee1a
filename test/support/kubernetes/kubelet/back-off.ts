// Pauses between tries that fail, as Kubernetes' but ten times shorter: its own begin at 10 s and end at 5 minutes.

const FIRST_MS = 1_000;
const LONGEST_MS = 10_000;

export interface BackOff {
  /** The pause that is on, or was the last; 0 before the first. */
  readonly ms: number;
  readonly isOn: boolean;
  /** Once without a pause; then twice as long each time. */
  grow(): void;
  reset(): void;
}

/** @param free tries before the first pause. */
export function createBackOff(free: 0 | 1): BackOff {
  let tries = 0;
  let ms = 0;
  let until = 0;
  return {
    get ms() {
      return ms;
    },
    get isOn() {
      return Date.now() < until;
    },
    grow() {
      tries++;
      ms = tries <= free ? 0 : Math.min(LONGEST_MS, FIRST_MS * 2 ** (tries - free - 1));
      until = Date.now() + ms;
    },
    reset() {
      tries = 0;
      ms = 0;
    },
  };
}
