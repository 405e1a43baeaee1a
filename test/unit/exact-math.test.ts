// The functions against correctly rounded values (computed with 200 bits), against Math.* and against their own bits:
// the digest at the end is what makes another version of Node, or another machine, fail if it differs.

import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import {
  exactAtan,
  exactCos,
  exactExp,
  exactExpm1,
  exactLog,
  exactLog1p,
  exactPow,
  exactSin,
  exactTan,
} from "../../shared/rng/exact-math.ts";
import { PURPOSE, uniforms } from "../../shared/rng/stream.ts";

const functions = {
  log: exactLog,
  exp: exactExp,
  sin: exactSin,
  cos: exactCos,
  tan: exactTan,
  atan: exactAtan,
  expm1: exactExpm1,
  log1p: exactLog1p,
};

const known: readonly (readonly [keyof typeof functions, number, number])[] = [
  ["log", 0.1, -Math.LN10],
  ["log", 2, Math.LN2],
  ["log", 10, Math.LN10],
  ["log", 1e-300, -690.7755278982137],
  ["log", 5e-324, -744.4400719213812],
  ["log", 1.0000001, 9.999999505838704e-8],
  ["log", 12345.678, 9.421061321291832],
  ["exp", 1, Math.E],
  ["exp", -1, 0.36787944117144233],
  ["exp", 0.5, 1.6487212707001282],
  ["exp", 10.25, 28282.541920334977],
  ["exp", -700.5, 5.980196118639791e-305],
  ["exp", 709.5, 1.3549863193146328e308],
  ["exp", 1e-10, 1.0000000001],
  ["sin", 1, 0.8414709848078965],
  ["sin", 0.1, 0.09983341664682815],
  ["sin", 3, 0.1411200080598672],
  ["sin", 100.5, -0.030959966783271346],
  ["sin", -12345.678, 0.7040813137533816],
  ["sin", 1e6, -0.34999350217129294],
  ["cos", 1, 0.5403023058681398],
  ["cos", 0.1, 0.9950041652780258],
  ["cos", 3, -0.9899924966004454],
  ["cos", 100.5, 0.9995206253283515],
  ["cos", -12345.678, 0.7101193587160628],
  ["cos", 1e6, 0.9367521275331447],
  ["tan", 1, 1.5574077246549023],
  ["tan", -2, 2.185039863261519],
  ["tan", 100.5, -0.030974815325197236],
  ["atan", 1, Math.PI / 4],
  ["atan", -1e300, -Math.PI / 2],
  ["atan", 0.1, 0.09966865249116204],
  ["expm1", 1e-10, 1.00000000005e-10],
  ["expm1", -0.0, -0],
  ["expm1", Number.NEGATIVE_INFINITY, -1],
  ["log1p", 1e-10, 9.9999999995e-11],
  ["log1p", 1e-300, 1e-300],
  ["log1p", Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
];

const knownPowers: readonly (readonly [number, number, number])[] = [
  [80, 1 / 7, 1.8701222535385968],
  [0.002, 1 / 7, 0.41155971378360795],
  [2, 0.5, Math.SQRT2],
  [10, -3.5, 0.00031622776601683794],
  [0.9999, 10000, 0.36786104643297046],
  [0.999, 31, 0.9694605362958226],
  [1.5, 700, 1.8360366198426334e123],
  [7, -1.25, 0.08782687899303776],
];

/** Distance in units of the last place of `b`. */
function ulps(a: number, b: number): number {
  if (Object.is(a, b)) return 0;
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, Math.abs(b));
  const exponent = Math.max(1, view.getUint32(0) >>> 20);
  return Math.abs(a - b) / 2 ** Math.max(-1074, exponent - 1075);
}

const random = (index: number, n = 20_000) => uniforms({ seed: 5, purpose: PURPOSE.canary, step: 0, index }, n);

describe("exact math", () => {
  it.each(known)("%s(%d) is within 2 ulp of %d", (name, x, value) => {
    expect(ulps(functions[name](x), value)).toBeLessThanOrEqual(2);
  });

  it.each(knownPowers)("%d to the power %d is within 2 ulp of %d", (x, y, value) => {
    expect(ulps(exactPow(x, y), value)).toBeLessThanOrEqual(2);
  });

  it("agrees with Math within 4 ulp on random inputs", () => {
    const worst: Record<string, number> = {};
    const compare = (name: string, got: number, reference: number) => {
      worst[name] = Math.max(worst[name] ?? 0, ulps(got, reference));
    };
    const powers = random(1);
    for (const [i, u] of random(0).entries()) {
      const far = 2 ** (2000 * u - 1000);
      compare("log", exactLog(far), Math.log(far));
      compare("log near 1", exactLog(0.5 + u), Math.log(0.5 + u));
      compare("exp", exactExp(1400 * u - 700), Math.exp(1400 * u - 700));
      compare("sin", exactSin(2000 * u - 1000), Math.sin(2000 * u - 1000));
      compare("cos", exactCos(2e6 * u - 1e6), Math.cos(2e6 * u - 1e6));
      compare("tan", exactTan(6 * u - 3), Math.tan(6 * u - 3));
      compare("atan", exactAtan(far), Math.atan(far));
      compare("atan near 1", exactAtan(3 * u - 1.5), Math.atan(3 * u - 1.5));
      compare("expm1", exactExpm1(4 * u - 2), Math.expm1(4 * u - 2));
      compare("log1p", exactLog1p(2 * u - 0.9), Math.log1p(2 * u - 0.9));
      compare("pow", exactPow(80 * u + 0.002, 8 * powers[i]! - 4), (80 * u + 0.002) ** (8 * powers[i]! - 4));
    }
    expect(Object.entries(worst).filter(([, ulp]) => !(ulp <= 4))).toEqual([]);
  });

  it("gives whole powers exactly where a double holds them", () => {
    for (let n = 0; n <= 22; n++) expect(exactPow(10, n)).toBe(Number(`1e${n}`));
    for (let n = -1074, power = 5e-324; n <= 1023; n++, power *= 2) expect(exactPow(2, n)).toBe(power);
    expect(exactPow(-3, 33)).toBe(-5559060566555523);
    expect(exactPow(0.125, -3)).toBe(512);
  });

  it("keeps to the limits of a double", () => {
    expect(exactExp(710)).toBe(Number.POSITIVE_INFINITY);
    expect(exactExp(-746)).toBe(0);
    expect(exactExp(-745)).toBe(5e-324);
    expect(exactExp(0)).toBe(1);
    expect(exactExp(Number.NaN)).toBeNaN();
    expect(exactLog(0)).toBe(Number.NEGATIVE_INFINITY);
    expect(exactLog(1)).toBe(0);
    expect(exactPow(2, 1024)).toBe(Number.POSITIVE_INFINITY);
    expect(exactPow(2, -1100)).toBe(0);
    expect(exactPow(1e200, 1.75)).toBe(Number.POSITIVE_INFINITY);
    expect(exactPow(0, 0.5)).toBe(0);
    expect(exactPow(0, 0)).toBe(1);
  });

  it("refuses what it cannot answer well, by value", () => {
    expect(() => exactLog(-1)).toThrow("logarithm of -1");
    expect(() => exactLog(Number.NaN)).toThrow("logarithm of NaN");
    expect(() => exactSin(2e6)).toThrow("2000000 radians");
    expect(() => exactCos(Number.POSITIVE_INFINITY)).toThrow("Infinity radians");
    expect(() => exactPow(-2, 0.5)).toThrow("-2");
  });

  it("has the same bits on every Node version and machine", () => {
    const first = digestOf((add) => {
      for (let i = 1; i <= 4000; i++) {
        const x = i * 0.37;
        add(exactLog(x));
        add(exactLog(x * x * x * 1e-140));
        add(exactExp(x / 3 - 200));
        add(exactSin(x * 101));
        add(exactCos(-x * 13));
        add(exactTan(x));
        add(exactPow(x, 1 / 7));
        add(exactPow(1 / x, i % 90));
      }
    });
    expect(first).toBe("1a05a96ad7ed00e447bd08f1d7ceda46631d35bcf31b4b0258c2ee10f93d6328");
    const second = digestOf((add) => {
      for (let i = -2000; i <= 2000; i++) {
        const x = i / 400;
        add(exactAtan(x * x * x));
        add(exactExpm1(x));
        add(exactLog1p(i / 2100));
      }
    });
    expect(second).toBe("e0574413dc7d32b019f9fd3ee133ea68252d6411440c8597c83a748cd90ea297");
  });
});

function digestOf(fill: (add: (value: number) => void) => void): string {
  const hash = createHash("sha256");
  const bytes = new DataView(new ArrayBuffer(8));
  fill((value) => {
    bytes.setFloat64(0, value);
    hash.update(new Uint8Array(bytes.buffer));
  });
  return hash.digest("hex");
}
