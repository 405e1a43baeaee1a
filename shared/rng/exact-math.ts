// log, exp, sin, cos and pow from operations that IEEE 754 rounds exactly (+ - * / sqrt and bit views), so that their
// bits are the same on every machine and in every version of Node. Math.log and its kin are free to differ, and do:
// V8 changed sin and cos between Node 20 and 22. Accurate to about 1 ulp (pow: see there). Series and argument
// reduction are the textbook ones (Cody and Waite 1980; the split of pi/2 and ln 2 is fdlibm's).

const scratch = new DataView(new ArrayBuffer(8));

const LN2_HI = 6.9314718036912381649e-1;
const LN2_LO = 1.90821492927058770002e-10;
const LOG2_E = 1.44269504088896338700;

/** Natural logarithm. @throws RangeError for NaN and negative numbers; -Infinity for 0. */
export function exactLog(x: number): number {
  if (!(x >= 0)) throw new RangeError(`exactLog(${x})`);
  if (x === 0) return Number.NEGATIVE_INFINITY;
  if (x === Number.POSITIVE_INFINITY) return x;
  // x = 2^k m, m in [sqrt(1/2), sqrt(2))
  let k = 0;
  if (x < 2.2250738585072014e-308) {
    x *= 2 ** 54;
    k = -54;
  }
  scratch.setFloat64(0, x);
  const high = scratch.getUint32(0);
  k += (high >>> 20) - 1023;
  scratch.setUint32(0, (high & 0x000fffff) | 0x3ff00000);
  let m = scratch.getFloat64(0);
  if (m > Math.SQRT2) {
    m /= 2;
    k++;
  }
  // log(1 + f) = f - f^2/2 + s (f^2/2 + R), s = f / (2 + f), R = sum 2 s^(2n) / (2n + 1)
  const f = m - 1;
  const s = f / (2 + f);
  const z = s * s;
  let R = 0;
  for (let n = 12; n >= 1; n--) R = z * (2 / (2 * n + 1) + R);
  const half = 0.5 * f * f;
  return k * LN2_HI - (half - (s * (half + R) + k * LN2_LO) - f);
}

/** e to the x. Overflows to Infinity, underflows to 0. */
export function exactExp(x: number): number {
  if (Number.isNaN(x)) return x;
  if (x > 709.8) return Number.POSITIVE_INFINITY;
  if (x < -745.2) return 0;
  const k = Math.floor(x * LOG2_E + 0.5);
  const hi = x - k * LN2_HI;
  const r = hi - k * LN2_LO; // |r| <= ln2 / 2
  let sum = 0;
  for (let n = 14; n >= 1; n--) sum = (r / n) * (1 + sum);
  return scale(1 + sum, k);
}

/** 2^k * y for any k that the result can hold. */
function scale(y: number, k: number): number {
  while (k > 1000) {
    y *= 2 ** 1000;
    k -= 1000;
  }
  while (k < -1000) {
    y *= 2 ** -1000;
    k += 1000;
  }
  scratch.setUint32(0, (k + 1023) << 20);
  scratch.setUint32(4, 0);
  return y * scratch.getFloat64(0);
}

const TWO_OVER_PI = 6.36619772367581382433e-1;
const PIO2_1 = 1.57079632673412561417;
const PIO2_2 = 6.07710050630396597660e-11;
const PIO2_3 = 2.02226624871116645580e-21;
const PIO2_3T = 8.47842766036889956997e-32;
/** Beyond this the three-part pi/2 no longer gives a full double. */
const LARGEST_ANGLE = 1.5e6;

export function exactSin(x: number): number {
  const { n, r } = reduce(x);
  const value = (n & 1) === 0 ? sinKernel(r) : cosKernel(r);
  return (n & 2) === 0 ? value : -value;
}

export function exactCos(x: number): number {
  const { n, r } = reduce(x);
  const value = (n & 1) === 0 ? cosKernel(r) : sinKernel(r);
  return ((n + 1) & 2) === 0 ? value : -value;
}

/** Quadrant and rest of an angle in radians. @throws RangeError beyond +-1.5e6. */
function reduce(x: number): { n: number; r: number } {
  if (!(Math.abs(x) <= LARGEST_ANGLE)) throw new RangeError(`an angle of ${x} radians is too large for exact reduction`);
  const n = Math.floor(x * TWO_OVER_PI + 0.5);
  const r = x - n * PIO2_1 - n * PIO2_2 - n * PIO2_3 - n * PIO2_3T;
  return { n, r };
}

/** Sine for |r| <= pi/4. */
export function sinKernel(r: number): number {
  const z = r * r;
  let sum = 0;
  for (let n = 20; n >= 2; n -= 2) sum = (-z / (n * (n + 1))) * (1 + sum);
  return r + r * sum;
}

/** Cosine for |r| <= pi/4. */
export function cosKernel(r: number): number {
  const z = r * r;
  let sum = 0;
  for (let n = 20; n >= 4; n -= 2) sum = (-z / (n * (n - 1))) * (1 + sum);
  const half = 0.5 * z;
  const w = 1 - half;
  return w + (1 - w - half - half * sum);
}

/**
 * x to the y, for x >= 0. Whole exponents up to 2^31 go by squaring; others as exp(y log x), whose relative error is
 * about |y log x| ulp (1e-14 where |y log x| < 40).
 */
export function exactPow(x: number, y: number): number {
  if (Number.isInteger(y) && Math.abs(y) < 2 ** 31) return wholePower(x, y);
  if (x === 0) return y > 0 ? 0 : Number.POSITIVE_INFINITY;
  return exactExp(y * exactLog(x));
}

function wholePower(x: number, y: number): number {
  let result = 1;
  for (let n = Math.abs(y), base = x; n > 0; n = Math.floor(n / 2), base *= base) if (n % 2 === 1) result *= base;
  return y < 0 ? 1 / result : result;
}
