// Sums over rows and columns.

import { splat } from "./lanes";

/** out[c] = sum over N rows of x[N, C], any C: blocks of 32 rows in float32, blocks added up in float64. */
export function columnSums(x: usize, out: usize, N: i32, C: i32): void {
  const row = <usize>C << 2;
  let c = 0;
  for (; c + 4 <= C; c += 4) {
    let low = f64x2.splat(0), high = f64x2.splat(0);
    for (let start = 0; start < N; start += 32) {
      let s = splat(0);
      const end = min(start + 32, N);
      for (let i = start; i < end; i++) s = f32x4.add(s, v128.load(x + <usize>i * row + (<usize>c << 2)));
      low = f64x2.add(low, f64x2.promote_low_f32x4(s));
      high = f64x2.add(high, f64x2.promote_low_f32x4(i64x2.shuffle(s, s, 1, 0)));
    }
    const at = out + (<usize>c << 2);
    store<f32>(at, <f32>f64x2.extract_lane(low, 0));
    store<f32>(at, <f32>f64x2.extract_lane(low, 1), 4);
    store<f32>(at, <f32>f64x2.extract_lane(high, 0), 8);
    store<f32>(at, <f32>f64x2.extract_lane(high, 1), 12);
  }
  for (; c < C; c++) {
    let total: f64 = 0;
    for (let i = 0; i < N; i++) total += <f64>load<f32>(x + <usize>i * row + (<usize>c << 2));
    store<f32>(out + (<usize>c << 2), <f32>total);
  }
}

/** out[i] = the sum of x[i, n]: blocks of 128 values in float32 lanes, blocks added up in float64. */
export function rowSums(x: usize, out: usize, rows: i32, n: i32): void {
  for (let i = 0; i < rows; i++) {
    const row = x + (<usize>i * n << 2);
    let pair = f64x2.splat(0);
    let j = 0;
    while (j + 4 <= n) {
      let s = splat(0);
      const end = min(j + 128, n - 3);
      for (; j < end; j += 4) s = f32x4.add(s, v128.load(row + (<usize>j << 2)));
      pair = f64x2.add(pair, f64x2.add(f64x2.promote_low_f32x4(s), f64x2.promote_low_f32x4(i64x2.shuffle(s, s, 1, 0))));
    }
    let total = f64x2.extract_lane(pair, 0) + f64x2.extract_lane(pair, 1);
    for (; j < n; j++) total += <f64>load<f32>(row + (<usize>j << 2));
    store<f32>(out + (<usize>i << 2), <f32>total);
  }
}
