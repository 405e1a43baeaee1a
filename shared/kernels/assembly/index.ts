// SIMD kernels over flat float32 vectors, compiled by AssemblyScript (build.mjs). Pointers are byte offsets, 16-byte
// aligned; n counts floats and is a multiple of 4. No static data, no allocation, no relaxed SIMD: the same bits on
// every machine.

export { hyper } from "./hyper";
export * from "./wire";

/** out = left + right. */
export function add(out: usize, left: usize, right: usize, n: i32): void {
  const end = left + (<usize>n << 2);
  while (left < end) {
    v128.store(out, f32x4.add(v128.load(left), v128.load(right)));
    out += 16;
    left += 16;
    right += 16;
  }
}

/** Sum of squares in float64: two accumulators of two lanes, added in one fixed order. */
export function squaredNorm(a: usize, n: i32): f64 {
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  const end = a + (<usize>n << 2);
  while (a < end) {
    const x = v128.load(a);
    const lo = f64x2.promote_low_f32x4(x);
    const hi = f64x2.promote_low_f32x4(i8x16.shuffle(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15));
    low = f64x2.add(low, f64x2.mul(lo, lo));
    high = f64x2.add(high, f64x2.mul(hi, hi));
    a += 16;
  }
  const sum = f64x2.add(low, high);
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1);
}

/** Index of the first NaN or infinity, or -1. */
export function firstNonFinite(a: usize, n: i32): i32 {
  for (let i = 0; i < n; i++) if ((load<u32>(a + (<usize>i << 2)) & 0x7f800000) == 0x7f800000) return i;
  return -1;
}

/**
 * 64 bits that change with any bit and with the order of the words: four lanes of multiply and xor-shift over the
 * 64-bit words, folded at the end (the mixing constants are those of MurmurHash3's finalizer). Four, because each waits
 * for its own product: two leave half of the memory's speed unused.
 */
export function digest(a: usize, n: i32, seed: i64): i64 {
  let h0: u64 = <u64>seed ^ 0x9e3779b97f4a7c15;
  let h1: u64 = h0 ^ 0xff51afd7ed558ccd;
  let h2: u64 = h0 ^ 0xc4ceb9fe1a85ec53;
  let h3: u64 = h1 ^ 0xc4ceb9fe1a85ec53;
  const end = a + (<usize>n << 2);
  while (a + 32 <= end) {
    h0 = (h0 ^ load<u64>(a)) * 0xff51afd7ed558ccd;
    h1 = (h1 ^ load<u64>(a, 8)) * 0xc4ceb9fe1a85ec53;
    h2 = (h2 ^ load<u64>(a, 16)) * 0xff51afd7ed558ccd;
    h3 = (h3 ^ load<u64>(a, 24)) * 0xc4ceb9fe1a85ec53;
    h0 ^= h0 >> 32;
    h1 ^= h1 >> 29;
    h2 ^= h2 >> 32;
    h3 ^= h3 >> 29;
    a += 32;
  }
  if (a < end) {
    h0 = (h0 ^ load<u64>(a)) * 0xff51afd7ed558ccd;
    h1 = (h1 ^ load<u64>(a, 8)) * 0xc4ceb9fe1a85ec53;
  }
  h0 = mix(h0) + mix(h1 ^ 0xc4ceb9fe1a85ec53);
  h2 = mix(h2) + mix(h3 ^ 0xff51afd7ed558ccd);
  return <i64>mix(mix(h0) + h2 + <u64>n);
}

// @ts-ignore: decorator
@inline
function mix(h: u64): u64 {
  h = (h ^ (h >> 33)) * 0xff51afd7ed558ccd;
  h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53;
  return h ^ (h >> 33);
}

/** e = e * decay + p * (1 - decay). */
export function ema(e: usize, p: usize, n: i32, decay: f64): void {
  const keep = f32x4.splat(<f32>decay);
  const take = f32x4.splat(<f32>(1.0 - decay));
  const end = e + (<usize>n << 2);
  while (e < end) {
    v128.store(e, f32x4.add(f32x4.mul(v128.load(e), keep), f32x4.mul(v128.load(p), take)));
    e += 16;
    p += 16;
  }
}
