// Fresh parameters: where they lie, how they are spread, and that a tensor's own place is all they depend on.

import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { initialParameters } from "../../shared/nn/init.ts";
import { normals, PURPOSE, uniforms } from "../../shared/rng/stream.ts";
import { buildLayout, type ParamSpec } from "../../shared/tensor/layout.ts";

const specs: readonly ParamSpec[] = [
  { name: "conv", shape: [3, 3, 5, 7], init: { kind: "uniform", scale: 0.25 } },
  { name: "gain", shape: [7], init: { kind: "ones" } },
  { name: "bias", shape: [3], init: { kind: "zeros" } },
  { name: "embedding", shape: [300, 301], init: { kind: "normal", scale: 0.02 } },
];
const layout = buildLayout(specs);
const flat = initialParameters(layout, 3);
const valuesOf = (name: string, from = flat, of = layout) => {
  const { offset, size } = of.tensors.find((tensor) => tensor.name === name)!;
  return from.subarray(offset, offset + size);
};

describe("initialParameters", () => {
  it("fills each tensor as declared and leaves the padding 0", () => {
    expect([...valuesOf("gain")]).toEqual(new Array(7).fill(1));
    expect([...valuesOf("bias")]).toEqual([0, 0, 0]);
    const padding = new Set(flat.keys());
    for (const { offset, size } of layout.tensors) for (let k = 0; k < size; k++) padding.delete(offset + k);
    expect(padding.size).toBe(1 + 1 + 1);
    expect([...padding].map((k) => flat[k])).toEqual([0, 0, 0]);
  });

  it("draws a tensor from its own stream, longer than one piece too", () => {
    const key = { seed: 3, purpose: PURPOSE.init, step: 0 };
    const u = uniforms({ ...key, index: 0 }, 315);
    expect([...valuesOf("conv")]).toEqual([...Float32Array.from(u, (value) => 0.25 * (2 * value - 1))]);
    const z = normals({ ...key, index: 3 }, 90_300);
    expect([...valuesOf("embedding")]).toEqual([...z.map((value) => 0.02 * value)]);
  });

  it("spreads them by their scale", () => {
    const uniform = valuesOf("conv");
    expect(Math.max(...uniform)).toBeLessThanOrEqual(0.25);
    expect(Math.min(...uniform)).toBeLessThan(-0.24);
    const squares = valuesOf("embedding").reduce((sum, z) => sum + z * z, 0);
    expect(Math.sqrt(squares / 90_300)).toBeCloseTo(0.02, 3);
  });

  it("does not move a tensor's values when another's size changes, nor when the shards do", () => {
    const wider = buildLayout(
      specs.map((spec) => (spec.name === "gain" ? { ...spec, shape: [70] } : spec)),
      1000,
    );
    expect(wider.shards.length).toBeGreaterThan(layout.shards.length);
    expect(valuesOf("embedding", initialParameters(wider, 3), wider)).toEqual(valuesOf("embedding"));
  });

  it("differs by seed, and never changes for one", () => {
    const sha256 = (vector: Float32Array) => createHash("sha256").update(new Uint8Array(vector.buffer)).digest("hex");
    expect(sha256(initialParameters(layout, 4))).not.toBe(sha256(flat));
    expect(sha256(flat)).toBe("dc22c2bb0ce5b80041e2f9fd911ee62ee008c75255d3fa813384f01142125082");
  });
});
