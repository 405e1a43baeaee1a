// Pairs of doubles that together hold 106 bits: Dekker, "A floating-point technique for extending the available
// precision", 1971. Only + - * /, so exact on every machine. Only what exactPow needs.

/** The value hi + lo, |lo| at most half an ulp of hi. */
export interface DoubleDouble {
  readonly hi: number;
  readonly lo: number;
}

/** The exact sum of two doubles (Knuth's TwoSum). */
export function dd(a: number, b: number): DoubleDouble {
  const hi = a + b;
  const rest = hi - a;
  return { hi, lo: a - (hi - rest) + (b - rest) };
}

/** The exact product of two doubles (Dekker, Veltkamp); beyond 2^970 only the rounded one. */
export function ddTimes(a: number, b: number): DoubleDouble {
  const hi = a * b;
  if (!(Math.abs(hi) < SAFE && Math.abs(a) < SAFE && Math.abs(b) < SAFE)) return { hi, lo: 0 };
  const aHigh = upperHalf(a);
  const bHigh = upperHalf(b);
  const aLow = a - aHigh;
  const bLow = b - bHigh;
  return { hi, lo: aLow * bLow - (hi - aHigh * bHigh - aLow * bHigh - aHigh * bLow) };
}

const SAFE = 2 ** 970;

function upperHalf(a: number): number {
  const c = a * (2 ** 27 + 1);
  return c - (c - a);
}

export function timesDouble(x: DoubleDouble, b: number): DoubleDouble {
  const { hi, lo } = ddTimes(x.hi, b);
  return Number.isFinite(hi) ? dd(hi, lo + x.lo * b) : { hi, lo: 0 };
}

function times(x: DoubleDouble, y: DoubleDouble): DoubleDouble {
  const { hi, lo } = ddTimes(x.hi, y.hi);
  return Number.isFinite(hi) ? dd(hi, lo + (x.hi * y.lo + x.lo * y.hi)) : { hi, lo: 0 };
}

/** x to the whole power y, by squaring; rounded once at the end. */
export function powerOf(x: number, y: number): number {
  let result: DoubleDouble = { hi: 1, lo: 0 };
  let base: DoubleDouble = { hi: x, lo: 0 };
  for (let n = Math.abs(y); n > 0; n = Math.floor(n / 2)) {
    if (n % 2 === 1) result = times(result, base);
    if (n > 1) base = times(base, base);
  }
  if (y >= 0) return result.hi + result.lo;
  const inverse = 1 / result.hi;
  if (inverse === 0 && y < -1) return powerOf(x, Math.ceil(y / 2)) * powerOf(x, Math.floor(y / 2)); // may be subnormal
  if (!Number.isFinite(inverse) || inverse === 0) return inverse;
  // One step of Newton: 1/(h + l) = i + i (1 - i h - i l)
  const product = ddTimes(inverse, result.hi);
  return inverse + inverse * (1 - product.hi - product.lo - inverse * result.lo);
}
