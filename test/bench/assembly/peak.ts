// Multiply and add on twelve registers, with nothing to load and nothing to wait for: what wasm SIMD can do at most.

/** @returns a value that depends on all of it. 12 * 4 * 2 floating-point operations a round. */
export function multiplyAdd(rounds: i32): f32 {
  const a = f32x4.splat(0.999999);
  const b = f32x4.splat(0.000001);
  let r0 = f32x4.splat(0),
    r1 = r0,
    r2 = r0,
    r3 = r0,
    r4 = r0,
    r5 = r0;
  let r6 = r0,
    r7 = r0,
    r8 = r0,
    r9 = r0,
    r10 = r0,
    r11 = r0;
  for (let i = 0; i < rounds; i++) {
    r0 = f32x4.add(f32x4.mul(r0, a), b);
    r1 = f32x4.add(f32x4.mul(r1, a), b);
    r2 = f32x4.add(f32x4.mul(r2, a), b);
    r3 = f32x4.add(f32x4.mul(r3, a), b);
    r4 = f32x4.add(f32x4.mul(r4, a), b);
    r5 = f32x4.add(f32x4.mul(r5, a), b);
    r6 = f32x4.add(f32x4.mul(r6, a), b);
    r7 = f32x4.add(f32x4.mul(r7, a), b);
    r8 = f32x4.add(f32x4.mul(r8, a), b);
    r9 = f32x4.add(f32x4.mul(r9, a), b);
    r10 = f32x4.add(f32x4.mul(r10, a), b);
    r11 = f32x4.add(f32x4.mul(r11, a), b);
  }
  const low = f32x4.add(f32x4.add(f32x4.add(r0, r1), f32x4.add(r2, r3)), f32x4.add(r4, r5));
  const high = f32x4.add(f32x4.add(f32x4.add(r6, r7), f32x4.add(r8, r9)), f32x4.add(r10, r11));
  return f32x4.extract_lane(f32x4.add(low, high), 0);
}
