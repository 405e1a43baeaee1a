// Four lanes of float32, inlined wherever they are called.

// @ts-ignore: decorator
@inline
export function splat(x: f32): v128 {
  return f32x4.splat(x);
}

// @ts-ignore: decorator
@inline
export function add(a: v128, b: v128): v128 {
  return f32x4.add(a, b);
}

// @ts-ignore: decorator
@inline
export function sub(a: v128, b: v128): v128 {
  return f32x4.sub(a, b);
}

/** Adds to what lies there. */
// @ts-ignore: decorator
@inline
export function accumulate(at: usize, value: v128): void {
  v128.store(at, f32x4.add(v128.load(at), value));
}
