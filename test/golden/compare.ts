// The tolerance rule of the golden files: |got - expected| <= atol + rtol |expected|, element by element.

import type { GoldenCase, GoldenFamily } from "./family.ts";

export interface Verdict {
  readonly ok: boolean;
  /** What is wrong, with the worst error in units of its tolerance. */
  readonly message: string;
}

export async function judge(family: GoldenFamily, golden: GoldenCase): Promise<Verdict> {
  let got: Record<string, unknown>;
  try {
    got = await family.run(golden);
  } catch (error) {
    if (golden.expected.throws !== undefined) return { ok: golden.expected.throws === true, message: "it threw" };
    return { ok: false, message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  const tolerances = (family.float32(golden) && golden.tol_float32) || golden.tol;
  for (const [key, expected] of Object.entries(golden.expected)) {
    const fault = compare(got[key], expected, tolerances[key] ?? golden.tol[key] ?? [0, 0]);
    if (fault) return { ok: false, message: `${key}: ${fault}` };
  }
  return { ok: true, message: "" };
}

function compare(got: unknown, expected: unknown, [rtol, atol]: readonly [number, number]): string | null {
  const a = leaves(got);
  const b = leaves(expected);
  if (a.length !== b.length) return `${a.length} values, expected ${b.length}`;
  let worst = 0;
  let at = -1;
  for (let i = 0; i < b.length; i++) {
    const [x, y] = [a[i], b[i]];
    if (typeof x !== "number" || typeof y !== "number") {
      if (x !== y) return `value ${i} is ${x}, expected ${y}`;
      continue;
    }
    if (x === y) continue;
    const error = Math.abs(x - y) / (atol + rtol * Math.abs(y));
    if (!(error <= worst)) {
      worst = error;
      at = i;
    }
  }
  return worst <= 1 ? null : `value ${at} is ${a[at]}, expected ${b[at]}: ${worst.toPrecision(3)} times its tolerance`;
}

function leaves(value: unknown): unknown[] {
  if (ArrayBuffer.isView(value)) return Array.from(value as Float32Array);
  return Array.isArray(value) ? value.flatMap(leaves) : [value];
}
