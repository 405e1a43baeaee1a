// Philox against Random123's known answers; streams against the moments of what they claim to be, and against
// themselves: the same numbers however they are asked for.

import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc32 } from "../../shared/rng/crc32.ts";
import { philox4x32 } from "../../shared/rng/philox.ts";
import { bits, integers, normals, PURPOSE, type StreamKey, uniforms } from "../../shared/rng/stream.ts";

const key = (change: Partial<StreamKey> = {}): StreamKey => ({
  seed: 0,
  purpose: PURPOSE.noise,
  step: 0,
  index: 0,
  ...change,
});

/** kat_vectors of Random123: counter, key, result. */
const knownAnswers = [
  ["zeros", "00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
  ["ones", "ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"],
  ["digits of pi", "243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"],
] as const;

const words = (hex: string) => hex.split(" ").map((word) => Number.parseInt(word, 16));

describe("philox4x32", () => {
  it.each(knownAnswers)("gives Random123's known answer for %s", (_, counter, keyWords, result) => {
    const [c0, c1, c2, c3] = words(counter) as [number, number, number, number];
    const [k0, k1] = words(keyWords) as [number, number];
    const out = new Uint32Array(4);
    philox4x32(c0, c1, c2, c3, k0, k1, out, 0);
    expect([...out]).toEqual(words(result));
  });
});

describe("streams", () => {
  it("put block, index, step and purpose in the counter and both halves of the seed in the key", () => {
    const out = new Uint32Array(4);
    philox4x32(2, 7, 5, PURPOSE.time, 0x89abcdef | 0, 0x00014567, out, 0);
    const drawn = bits({ seed: 0x14567_89abcdef, purpose: PURPOSE.time, step: 5, index: 7 }, 4, 8);
    expect([...drawn]).toEqual([...out]);
  });

  it("give element k the same value wherever a draw begins and however long it is", () => {
    const whole = { bits: bits(key(), 500), uniforms: uniforms(key(), 500), normals: normals(key(), 500) };
    fc.assert(
      fc.property(fc.nat(400), fc.nat(100), (from, n) => {
        expect(bits(key(), n, from)).toEqual(whole.bits.slice(from, from + n));
        expect(uniforms(key(), n, from)).toEqual(whole.uniforms.slice(from, from + n));
        expect(normals(key(), n, from)).toEqual(whole.normals.slice(from, from + n));
      }),
    );
    expect(integers(key(), 10, 1000)).toEqual(integers(key(), 500, 1000).slice(0, 10));
  });

  it("differ in every part of the key", () => {
    const others = [
      key(),
      key({ seed: 1 }),
      key({ seed: 2 ** 32 }),
      key({ purpose: PURPOSE.time }),
      key({ step: 1 }),
      key({ index: 1 }),
    ].map((each) => [...bits(each, 4)].join());
    expect(new Set(others).size).toBe(others.length);
  });

  it("never give two purposes the same number", () => {
    const numbers = Object.values(PURPOSE);
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  it("draw normals with the moments of N(0, 1)", () => {
    const n = 1_000_000;
    let [sum, square, cube, fourth, beyond2, serial] = [0, 0, 0, 0, 0, 0];
    let before = 0;
    for (const z of normals(key({ seed: 42 }), n)) {
      sum += z;
      square += z * z;
      cube += z ** 3;
      fourth += z ** 4;
      serial += z * before;
      if (Math.abs(z) > 2) beyond2++;
      before = z;
    }
    // Five standard errors each: sqrt(1/n), sqrt(2/n), sqrt(15/n), sqrt(96/n), sqrt(p (1 - p)/n), sqrt(1/n).
    const within = (got: number, want: number, variance: number) =>
      expect(Math.abs(got / n - want)).toBeLessThan(5 * Math.sqrt(variance / n));
    within(sum, 0, 1);
    within(square, 1, 2);
    within(cube, 0, 15);
    within(fourth, 3, 96);
    within(beyond2, 0.0455003, 0.0455003 * 0.9544997);
    within(serial, 0, 1);
  });

  it("draw uniforms that fill [0, 1) evenly", () => {
    const cells = new Float64Array(64);
    const n = 64_000;
    for (const u of uniforms(key({ purpose: PURPOSE.time }), n)) {
      expect(u >= 0 && u < 1).toBe(true);
      cells[Math.floor(u * 64)]!++;
    }
    const chiSquare = cells.reduce((total, count) => total + (count - n / 64) ** 2 / (n / 64), 0);
    expect(chiSquare).toBeLessThan(63 + 5 * Math.sqrt(2 * 63));
  });

  it("draw integers below the bound without favour, also where 2^32 is no multiple of it", () => {
    // With bound 3 * 2^29 plain remainders would hit the lower third half as often again as the others.
    const bound = 3 * 2 ** 29;
    const n = 30_000;
    const thirds = [0, 0, 0];
    for (const value of integers(key(), n, bound)) thirds[Math.floor(value / 2 ** 29)]!++;
    for (const count of thirds) expect(Math.abs(count - n / 3)).toBeLessThan(5 * Math.sqrt((n * 2) / 9));
    expect([...integers(key(), 5, 1)]).toEqual([0, 0, 0, 0, 0]);
    expect(() => integers(key(), 1, 0)).toThrow("below 0");
  });

  it("has the same bits on every Node version and machine", () => {
    const hash = createHash("sha256");
    for (const seed of [0, 1, 2 ** 53 - 1]) {
      hash.update(new Uint8Array(normals(key({ seed }), 5000).slice().buffer));
      hash.update(new Uint8Array(uniforms(key({ seed, step: 9 }), 500).buffer));
      hash.update(new Uint8Array(integers(key({ seed, index: 3 }), 500, 1000).buffer));
    }
    expect(hash.digest("hex")).toBe("ef370e83a7cc0ebf6f51674aea0c5cdb9e61f6d1915946f24b9da9ad0ece4676");
  });
});

describe("crc32", () => {
  it("gives the check value of the catalogue of CRCs", () => {
    expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
  });
});
