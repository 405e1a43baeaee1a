// log, exp, sin, cos, tan, atan and pow from operations that IEEE 754 rounds exactly (+ - * / sqrt and bit views), so that
// their bits are the same on every machine and in every version of Node. Math.sin and its kin are free to differ, and
// do. Measured against 200-bit values: log and exp within 0.9 ulp, pow 1.4, sin and cos 2.3, tan 3. Argument reduction
// after Cody and Waite, "Software Manual for the Elementary Functions", 1980, with fdlibm's splits of pi/2 and ln 2;
// then Taylor series, cut where the next term is below 2^-55.

import { type DoubleDouble, dd, ddTimes, powerOf, timesDouble } from "./double-double.ts";

const scratch = new DataView(new ArrayBuffer(8));

const LN2_HI = 0.6931471803691238; // 32 bits: k * LN2_HI is exact
const LN2_LO = 1.9082149292705877e-10;
const SMALLEST_NORMAL = 2.2250738585072014e-308;

/** Natural logarithm. -Infinity for 0. @throws RangeError for NaN and negative numbers. */
export function exactLog(x: number): number {
  if (!(x >= 0)) throw new RangeError(`the logarithm of ${x} is no real number; pass a number from 0 up`);
  if (x === 0) return Number.NEGATIVE_INFINITY;
  if (x === Number.POSITIVE_INFINITY) return x;
  const k = exponentOf(x);
  const f = mantissa - 1;
  // log(1 + f) = f - f^2/2 + s (f^2/2 + R), s = f / (2 + f)
  const s = f / (2 + f);
  const half = 0.5 * f * f;
  return k * LN2_HI - (half - (s * (half + atanhTail(s * s)) + k * LN2_LO) - f);
}

/** 2 atanh(s)/s - 2 = sum over n of 2 s^2n / (2n + 1), for z = s^2 below 0.03. */
function atanhTail(z: number): number {
  const far = 2 / 15 + z * (2 / 17 + z * (2 / 19 + z * (2 / 21 + z * (2 / 23))));
  return z * (2 / 3 + z * (2 / 5 + z * (2 / 7 + z * (2 / 9 + z * (2 / 11 + z * (2 / 13 + z * far))))));
}

/** Second result of exponentOf: a pair would be allocated for every logarithm. */
let mantissa = 1;

/** x = 2^k m with m in [sqrt(1/2), sqrt(2)]: returns k, leaves m in `mantissa`. */
function exponentOf(x: number): number {
  const tiny = x < SMALLEST_NORMAL;
  scratch.setFloat64(0, tiny ? x * 2 ** 54 : x);
  const high = scratch.getUint32(0);
  scratch.setUint32(0, (high & 0x000fffff) | 0x3ff00000);
  const m = scratch.getFloat64(0);
  const k = (high >>> 20) - (tiny ? 1023 + 54 : 1023);
  mantissa = m > Math.SQRT2 ? m / 2 : m;
  return m > Math.SQRT2 ? k + 1 : k;
}

/** e to the x. Overflows to Infinity, underflows to 0, NaN gives NaN. */
export function exactExp(x: number): number {
  if (Number.isNaN(x)) return x;
  if (x > 709.8) return Number.POSITIVE_INFINITY;
  if (x < -745.2) return 0;
  const k = Math.floor(x * Math.LOG2E + 0.5);
  const r = x - k * LN2_HI - k * LN2_LO; // |r| <= ln2 / 2
  return scale(1 + expTail(r), k);
}

/** e^x - 1, without the loss near 0. */
export const exactExpm1 = (x: number): number => (Math.abs(x) <= Math.LN2 / 2 ? expTail(x) : exactExp(x) - 1);

/** log(1 + x), without the loss near 0. @throws RangeError below -1. */
export function exactLog1p(x: number): number {
  const u = 1 + x;
  // Kahan: what rounding did to 1 + x, it did to u - 1 as well.
  return u === 1 || u === Number.POSITIVE_INFINITY ? x : (exactLog(u) * x) / (u - 1);
}

/** e^r - 1 for |r| <= ln2 / 2. */
function expTail(r: number): number {
  const far = 1 / 5040 + r * (1 / 40320 + r * (1 / 362880 + r * (1 / 3628800 + r * farther(r))));
  return r + r * r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120 + r * (1 / 720 + r * far)))));
}

function farther(r: number): number {
  return 1 / 39916800 + r * (1 / 479001600 + r * (1 / 6227020800 + r * (1 / 87178291200)));
}

/** 2^k y for any k that the result can hold; rounds once, where the result is subnormal. */
function scale(y: number, k: number): number {
  const part = Math.max(-1000, Math.min(1000, k));
  return y * powerOfTwo(part) * powerOfTwo(k - part);
}

function powerOfTwo(k: number): number {
  scratch.setUint32(0, (k + 1023) << 20);
  scratch.setUint32(4, 0);
  return scratch.getFloat64(0);
}

const TWO_OVER_PI = 0.6366197723675814;
const PIO2_1 = 1.5707963267341256; // 33 bits each: n times it is exact
const PIO2_2 = 6.077100506303966e-11;
const PIO2_3 = 2.0222662487111665e-21;
const PIO2_3T = 8.4784276603689e-32;
/** Up to here n * PIO2_1 is exact: about a million radians. */
const LARGEST_ANGLE = 2 ** 20;

/** Sine of an angle in radians. @throws RangeError beyond +-2^20 radians. */
export function exactSin(x: number): number {
  const n = quadrantOf(x);
  return sinOfQuarter(n, restOf(x, n));
}

/** Cosine of an angle in radians. @throws RangeError beyond +-2^20 radians. */
export function exactCos(x: number): number {
  const n = quadrantOf(x);
  return sinOfQuarter(n + 1, restOf(x, n));
}

/** Tangent of an angle in radians. @throws RangeError beyond +-2^20 radians. */
export function exactTan(x: number): number {
  return exactSin(x) / exactCos(x);
}

const SQRT3 = Math.sqrt(3);

/** The angle in (-pi/2, pi/2) whose tangent is x. */
export function exactAtan(x: number): number {
  if (x < 0) return -exactAtan(-x);
  if (x > 1) return Math.PI / 2 - exactAtan(1 / x);
  // atan x = pi/6 + atan((sqrt(3) x - 1) / (sqrt(3) + x)), which leaves |x| <= tan(pi/12).
  return x > 2 - SQRT3 ? Math.PI / 6 + atanSeries((SQRT3 * x - 1) / (SQRT3 + x)) : atanSeries(x);
}

function atanSeries(x: number): number {
  const z = x * x;
  let sum = 0;
  for (let n = 31; n > 1; n -= 2) sum = 1 / n - z * sum;
  return x - x * z * sum;
}

function quadrantOf(x: number): number {
  if (!(Math.abs(x) <= LARGEST_ANGLE))
    throw new RangeError(`an angle of ${x} radians is beyond +-${LARGEST_ANGLE}; reduce it by whole turns first`);
  return Math.floor(x * TWO_OVER_PI + 0.5);
}

/** x - n pi/2. */
function restOf(x: number, n: number): number {
  return x - n * PIO2_1 - n * PIO2_2 - n * PIO2_3 - n * PIO2_3T;
}

/** sin(quadrant pi/2 + r) for |r| <= pi/4: the angle is already split, so nothing is lost in reduction. */
export function sinOfQuarter(quadrant: number, r: number): number {
  const value = (quadrant & 1) === 0 ? sinKernel(r) : cosKernel(r);
  return (quadrant & 2) === 0 ? value : -value;
}

function sinKernel(r: number): number {
  const z = r * r;
  const far =
    1 / 362880 + z * (-1 / 39916800 + z * (1 / 6227020800 + z * (-1 / 1307674368000 + z * (1 / 355687428096000))));
  return r + r * (z * (-1 / 6 + z * (1 / 120 + z * (-1 / 5040 + z * far))));
}

function cosKernel(r: number): number {
  const z = r * r;
  const far = 1 / 40320 + z * (-1 / 3628800 + z * (1 / 479001600 + z * (-1 / 87178291200 + z * (1 / 20922789888000))));
  const half = 0.5 * z;
  const w = 1 - half;
  return w + (1 - w - half + z * z * (1 / 24 + z * (-1 / 720 + z * far)));
}

/**
 * x to the y, for x >= 0 (or any x with a whole y). Whole exponents by squaring in double-double, so that an exact power
 * comes out exact; others as exp(y log x) with the logarithm in double-double.
 */
export function exactPow(x: number, y: number): number {
  if (Number.isInteger(y) && Math.abs(y) < 2 ** 31) return powerOf(x, y);
  if (x === 0) return y > 0 ? 0 : Number.POSITIVE_INFINITY;
  const { hi, lo } = timesDouble(wideLog(x), y);
  const value = exactExp(hi);
  return Number.isFinite(value) ? value + value * lo : value;
}

/** log x to about 60 bits: only the tail of the series, 1% of it, is a plain double. */
function wideLog(x: number): DoubleDouble {
  if (!(x > 0 && x < Number.POSITIVE_INFINITY)) throw new RangeError(`${x} has no power with a broken exponent`);
  const k = exponentOf(x);
  const f = mantissa - 1;
  const below = dd(2, f);
  const s = f / (below.hi + below.lo);
  const back = ddTimes(s, below.hi);
  const sLow = (f - back.hi - back.lo - s * below.lo) / below.hi;
  const head = dd(k * LN2_HI, 2 * s);
  return dd(head.hi, head.lo + (2 * sLow + s * atanhTail(s * s) + k * LN2_LO));
}
