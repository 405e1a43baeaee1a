// Gradients in fewer bytes. `round` puts a vector on the values that its dtype can carry; `encode` then moves exactly
// those values to the front of the vector's own memory, `decode` takes them from its end: neither needs other memory,
// and encoding what is rounded loses nothing. A value that is not finite becomes NaN and stays one.

const ABSOLUTE: i32 = 0x7fffffff;
const INFINITE: i32 = 0x7f800000;
const NAN: i32 = 0x7fc00000;

/** bfloat16: the upper half of a float32, to nearest, ties to even. */
export function roundBfloat16(a: usize, n: i32): void {
  const end = a + (<usize>n << 2);
  while (a < end) {
    const x = v128.load(a);
    const odd = v128.and(i32x4.shr_u(x, 16), i32x4.splat(1));
    const up = v128.and(i32x4.add(i32x4.add(x, i32x4.splat(0x7fff)), odd), i32x4.splat(<i32>0xffff0000));
    const isNaN = i32x4.gt_s(v128.and(x, i32x4.splat(ABSOLUTE)), i32x4.splat(INFINITE));
    v128.store(a, v128.bitselect(i32x4.splat(NAN), up, isNaN));
    a += 16;
  }
}

/** Rounded floats to 2 n bytes at the same address. */
export function encodeBfloat16(a: usize, n: i32): void {
  const end = a + (<usize>n << 2);
  let out = a;
  while (a < end) {
    const upper = i32x4.shr_u(v128.load(a), 16);
    v128.store64_lane(out, i16x8.narrow_i32x4_u(upper, upper), 0);
    out += 8;
    a += 16;
  }
}

/** 2 n bytes, which end where the vector does, to n floats. */
export function decodeBfloat16(a: usize, n: i32): void {
  const end = a + (<usize>n << 2);
  let from = a + (<usize>n << 1);
  while (a < end) {
    const upper = i32x4.extend_low_i16x8_u(v128.load64_zero(from));
    v128.store(a, i32x4.shl(upper, 16));
    from += 8;
    a += 16;
  }
}

// int8: blocks of 256 values share a power of two, as in the microscaling formats (OCP MX 1.0, MXINT8): a byte with its
// biased exponent, then the values as multiples of it, -127 to 127. The power of two makes every product exact, so that a
// rounded block is encoded to the same values whatever power its encoder finds.

const BLOCK: i32 = 256;
const NAN_BLOCK: i32 = 255;
const SMALLEST: i32 = 1; // biased: 2^-126
/** The largest magnitude is 127 / 64 of a power of two: up to this fraction, six bits below it are enough. */
const FRACTION_OF_127: i32 = 0x7e0000;

/** 2^127: a larger value could be rounded up to infinity. No gradient that is of use has one. */
const LARGEST: i32 = 0x7f000000;

/** Biased exponent of the least power of two whose 127-fold reaches every value of [a, end); 255 when one is beyond all. */
function exponentOf(a: usize, end: usize): i32 {
  let most = i32x4.splat(0);
  while (a < end) {
    most = i32x4.max_s(most, v128.and(v128.load(a), i32x4.splat(ABSOLUTE)));
    a += 16;
  }
  const most2 = i32x4.max_s(most, i8x16.shuffle(most, most, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  const bits = max<i32>(i32x4.extract_lane(most2, 0), i32x4.extract_lane(most2, 1));
  if (bits > LARGEST) return NAN_BLOCK;
  return max<i32>(SMALLEST, (bits >> 23) - 6 + i32((bits & 0x7fffff) > FRACTION_OF_127));
}

// @ts-ignore: decorator
@inline
function powerOf(exponent: i32): v128 {
  return i32x4.splat(exponent << 23);
}

/** 1 / 2^e, of a biased e from 1 to 250. */
// @ts-ignore: decorator
@inline
function inverseOf(exponent: i32): v128 {
  return i32x4.splat((254 - exponent) << 23);
}

/** Four values, each to one of its two neighbours on the grid: up with the probability of its distance to the lower one. */
// @ts-ignore: decorator
@inline
function stochastic(a: usize, random: v128, inverse: v128, power: v128): void {
  // u of (0, 1) in steps of 2^-16: a value on the grid stays where it is.
  const u = f32x4.mul(f32x4.add(f32x4.convert_i32x4_s(random), f32x4.splat(0.5)), f32x4.splat(0.0000152587890625));
  const q = f32x4.min(f32x4.floor(f32x4.add(f32x4.mul(v128.load(a), inverse), u)), f32x4.splat(127));
  v128.store(a, f32x4.mul(q, power));
}

/**
 * Stochastic rounding to int8 blocks. Value v of each run of 32 takes half (v >> 2 & 1) of word v >> 3 of the Philox
 * block whose counter is (c0 + v mod 4, c1, c2, c3); c0 goes up by four a run. key = (k0, k1).
 */
export function roundInt8(a: usize, n: i32, c0: i32, c1: i32, c2: i32, c3: i32, k0: i32, k1: i32): void {
  const end = a + (<usize>n << 2);
  const low = i32x4.splat(0xffff);
  while (a < end) {
    const stop = min<usize>(end, a + (BLOCK << 2));
    const exponent = exponentOf(a, stop);
    if (exponent == NAN_BLOCK) {
      c0 += BLOCK >> 3;
      for (; a < stop; a += 16) v128.store(a, i32x4.splat(NAN));
      continue;
    }
    const power = powerOf(exponent);
    const inverse = inverseOf(exponent);
    while (a < stop) {
      // Philox4x32-10 (Salmon et al. 2011) on four counters.
      let x0 = i32x4.add(i32x4.splat(c0), i32x4(0, 1, 2, 3));
      let x1 = i32x4.splat(c1);
      let x2 = i32x4.splat(c2);
      let x3 = i32x4.splat(c3);
      let y0 = k0;
      let y1 = k1;
      for (let round = 0; round < 10; round++) {
        const m0 = i32x4.splat(<i32>0xd2511f53);
        const m1 = i32x4.splat(<i32>0xcd9e8d57);
        const p0 = i64x2.extmul_low_i32x4_u(x0, m0);
        const p1 = i64x2.extmul_high_i32x4_u(x0, m0);
        const q0 = i64x2.extmul_low_i32x4_u(x2, m1);
        const q1 = i64x2.extmul_high_i32x4_u(x2, m1);
        x0 = v128.xor(v128.xor(odds(q0, q1), x1), i32x4.splat(y0));
        x2 = v128.xor(v128.xor(odds(p0, p1), x3), i32x4.splat(y1));
        x1 = evens(q0, q1);
        x3 = evens(p0, p1);
        y0 += 0x9e3779b9;
        y1 += 0xbb67ae85;
      }
      stochastic(a, v128.and(x0, low), inverse, power);
      if (a + 16 < stop) stochastic(a + 16, i32x4.shr_u(x0, 16), inverse, power);
      if (a + 32 < stop) stochastic(a + 32, v128.and(x1, low), inverse, power);
      if (a + 48 < stop) stochastic(a + 48, i32x4.shr_u(x1, 16), inverse, power);
      if (a + 64 < stop) stochastic(a + 64, v128.and(x2, low), inverse, power);
      if (a + 80 < stop) stochastic(a + 80, i32x4.shr_u(x2, 16), inverse, power);
      if (a + 96 < stop) stochastic(a + 96, v128.and(x3, low), inverse, power);
      if (a + 112 < stop) stochastic(a + 112, i32x4.shr_u(x3, 16), inverse, power);
      c0 += 4;
      a = min<usize>(stop, a + 128);
    }
  }
}

/** Lower and upper words of four products. */
// @ts-ignore: decorator
@inline
function evens(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
}
// @ts-ignore: decorator
@inline
function odds(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
}

/** Rounded floats to n + ceil(n / 256) bytes at the same address. */
export function encodeInt8(a: usize, n: i32): void {
  const end = a + (<usize>n << 2);
  let out = a;
  while (a < end) {
    const stop = min<usize>(end, a + (BLOCK << 2));
    const exponent = exponentOf(a, stop);
    const isNaN = exponent == NAN_BLOCK;
    const inverse = inverseOf(isNaN ? SMALLEST : exponent);
    // The first four values are read before the byte that goes in their place is written.
    let x = v128.load(a);
    store<u8>(out++, <u8>exponent);
    while (true) {
      const q = i32x4.trunc_sat_f32x4_s(f32x4.mul(x, inverse));
      const words = i16x8.narrow_i32x4_s(q, q);
      const bytes = isNaN ? i32x4.splat(0) : i8x16.narrow_i16x8_s(words, words);
      a += 16;
      const next = a < stop ? v128.load(a) : i32x4.splat(0);
      v128.store32_lane(out, bytes, 0);
      out += 4;
      if (a >= stop) break;
      x = next;
    }
  }
}

/** n + ceil(n / 256) bytes, which end where the vector does, to n floats. */
export function decodeInt8(a: usize, n: i32): void {
  const end = a + (<usize>n << 2);
  let from = end - <usize>(n + (n + BLOCK - 1) / BLOCK);
  while (a < end) {
    const stop = min<usize>(end, a + (BLOCK << 2));
    const exponent = <i32>load<u8>(from++);
    const power = powerOf(exponent);
    for (; a < stop; a += 16) {
      const q = i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(v128.load32_zero(from)));
      v128.store(a, exponent == NAN_BLOCK ? i32x4.splat(NAN) : f32x4.mul(f32x4.convert_i32x4_s(q), power));
      from += 4;
    }
  }
}
