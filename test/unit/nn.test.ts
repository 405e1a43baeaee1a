import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { attend, qkvChannel } from "../../shared/nn/attention.ts";
import { cosSinEmbedding, positionalEmbedding, sinCosEmbedding } from "../../shared/nn/embeddings.ts";
import {
  columnSums,
  conv2d,
  dense,
  downsample2,
  type GroupNormOptions,
  groupNorm as normalise,
  silu,
  upsample2,
} from "../../shared/nn/fused.ts";
import { createScope, groupNorm } from "../../shared/nn/layers.ts";
import { testBackend } from "../support/backend.ts";
import { gradientErrors, patterned } from "../support/gradient-check.ts";

type T1 = tf.Tensor1D;
type T2 = tf.Tensor2D;
type T3 = tf.Tensor3D;
type T4 = tf.Tensor4D;

beforeAll(testBackend);

/** y = f((gain xhat + offset) (1 + scale) + shift) straight from the definition, in float64. */
function groupNormByHand(x: T4, gain: T1, offset: T1, modulation: T2 | null, options: GroupNormOptions): number[] {
  const { groups, eps, silu: withSilu } = options;
  const [B, H, W, C] = x.shape;
  const [values, g, o] = [x.dataSync(), gain.dataSync(), offset.dataSync()];
  const m = modulation?.dataSync() ?? new Float32Array(B * 2 * C);
  const perGroup = C / groups;
  const at = (n: number, p: number, c: number) => (n * H * W + p) * C + c;
  const out: number[] = new Array(x.size);
  for (let n = 0; n < B; n++)
    for (let group = 0; group < groups; group++) {
      const members: [position: number, channel: number][] = [];
      for (let p = 0; p < H * W; p++)
        for (let c = group * perGroup; c < (group + 1) * perGroup; c++) members.push([p, c]);
      const mean = members.reduce((sum, [p, c]) => sum + values[at(n, p, c)]!, 0) / members.length;
      const variance = members.reduce((sum, [p, c]) => sum + (values[at(n, p, c)]! - mean) ** 2, 0) / members.length;
      for (const [p, c] of members) {
        const xhat = (values[at(n, p, c)]! - mean) / Math.sqrt(variance + eps);
        const u = (g[c]! * xhat + o[c]!) * (1 + m[n * 2 * C + c]!) + m[n * 2 * C + C + c]!;
        out[at(n, p, c)] = withSilu ? u / (1 + Math.exp(-u)) : u;
      }
    }
  return out;
}

const worst = (got: tf.Tensor, expected: ArrayLike<number>): number =>
  Math.max(...Array.from(got.dataSync(), (value, i) => Math.abs(value - expected[i]!)));

describe("group norm", () => {
  // 6 channels are no multiple of 4: the plain ops; 8 and 32 channels: the backend's kernel.
  const cases = [
    { name: "plain ops", shape: [2, 3, 3, 6], groups: 2, adaptive: false },
    { name: "plain ops, AdaGN", shape: [2, 3, 3, 6], groups: 3, adaptive: true },
    { name: "kernel", shape: [3, 3, 2, 8], groups: 2, adaptive: false },
    { name: "kernel, AdaGN", shape: [3, 3, 2, 8], groups: 4, adaptive: true },
    { name: "kernel, AdaGN, one channel a group", shape: [2, 4, 4, 32], groups: 32, adaptive: true },
    { name: "kernel, a batch of one", shape: [1, 5, 5, 8], groups: 1, adaptive: false },
    { name: "kernel, AdaGN, a batch of one", shape: [1, 5, 5, 8], groups: 2, adaptive: true },
  ] as const;
  it.each(cases.flatMap((c) => [false, true].map((withSilu) => ({ ...c, withSilu }))))(
    "is its definition, and its gradient is that of finite differences: $name, SiLU $withSilu",
    ({ shape, adaptive, groups, withSilu }) => {
      const [B, , , C] = shape;
      const x = patterned(shape, 1) as T4;
      const gain = tf.add(1, tf.mul(0.5, patterned([C], 2))) as T1;
      const offset = patterned([C], 3) as T1;
      const modulation = adaptive ? (patterned([B, 2 * C], 4) as T2) : null;
      const options = { groups, eps: 1e-5, silu: withSilu };
      const expected = groupNormByHand(x, gain, offset, modulation, options);
      expect(worst(normalise(x, gain, offset, modulation, options), expected)).toBeLessThan(1e-5);
      const errors = gradientErrors(
        (u, g, o, m) => normalise(u as T4, g as T1, o as T1, (m as T2) ?? null, options),
        modulation ? [x, gain, offset, modulation] : [x, gain, offset],
      );
      expect(Math.max(...errors)).toBeLessThan(5e-3);
    },
  );

  it("keeps its digits on inputs with a mean of many deviations", () => {
    const x = tf.add(patterned([1, 8, 8, 8], 1), 10) as T4;
    const [gain, offset] = [tf.ones([8]) as T1, tf.zeros([8]) as T1];
    const options = { groups: 2, eps: 1e-5, silu: false };
    const expected = groupNormByHand(x, gain, offset, null, options);
    expect(worst(normalise(x, gain, offset, null, options), expected)).toBeLessThan(1e-4);
  });
});

describe("gradients agree with finite differences", () => {
  const below = (errors: number[], limit = 5e-3) => expect(Math.max(...errors)).toBeLessThan(limit);

  it("of SiLU", () => below(gradientErrors((x) => silu(x), [tf.mul(4, patterned([3, 7], 1))])));

  it.each([
    { name: "3x3", kernel: 3, stride: 1, pad: 1, side: 5 },
    { name: "1x1", kernel: 1, stride: 1, pad: 0, side: 4 },
    { name: "stride 2, padded on all sides, even", kernel: 3, stride: 2, pad: 1, side: 6 },
    { name: "stride 2, padded on all sides, odd", kernel: 3, stride: 2, pad: 1, side: 5 },
    { name: "stride 2, TensorFlow's same", kernel: 3, stride: 2, pad: "same", side: 6 },
  ] as const)("of a convolution: $name", ({ kernel, stride, pad, side }) => {
    const x = patterned([2, side, side, 3], 1);
    const w = patterned([kernel, kernel, 3, 5], 2);
    const b = patterned([5], 3);
    below(gradientErrors((u, v, c) => conv2d(u as T4, v as T4, c as T1, { stride, pad }), [x, w, b]));
  });

  it("of a dense layer on vectors and on sequences", () => {
    const [w, b] = [patterned([6, 5], 2), patterned([5], 3)];
    below(gradientErrors((u, v, c) => dense(u, v as T2, c as T1), [patterned([4, 6], 1), w, b]));
    below(gradientErrors((u, v, c) => dense(u, v as T2, c as T1), [patterned([2, 3, 6], 1), w, b]));
  });

  it.each([1, 2, 4])("of attention with %i heads", (heads) => {
    const tokens = [1, 2, 3].map((seed) => tf.mul(2, patterned([2, 5, 8], seed)));
    below(gradientErrors((q, k, v) => attend(q as T3, k as T3, v as T3, heads), tokens));
  });

  it("of doubling and halving the resolution, odd sizes too", () => {
    below(gradientErrors((x) => upsample2(x as T4), [patterned([2, 3, 2, 5], 1)]));
    below(gradientErrors((x) => downsample2(x as T4), [patterned([2, 4, 6, 5], 1)]));
    below(gradientErrors((x) => downsample2(x as T4), [patterned([2, 5, 3, 4], 1)]));
  });
});

describe("layers", () => {
  it("halve odd sizes by dropping the last row and column", () => {
    const x = tf.tensor4d([1, 2, 9, 3, 4, 9, 9, 9, 9], [1, 3, 3, 1]);
    expect([...downsample2(x).dataSync()]).toEqual([2.5]);
  });

  it("sum columns in float32 without losing small values behind large ones", () => {
    const n = 200_000;
    expect(Math.abs(columnSums(tf.fill([n, 4], 0.1)).dataSync()[0]! / (n * 0.1) - 1)).toBeLessThan(1e-4);
  });

  it("give a softmax whose rows add up, however large the scores", () => {
    const q = tf.mul(200, patterned([1, 6, 4], 1)) as T3;
    const out = attend(q, q, tf.ones([1, 6, 4]) as T3, 2);
    expect(worst(out, new Float32Array(24).fill(1))).toBeLessThan(1e-6);
  });

  it.each(["legacy", "new", "interleaved"] as const)("use every channel of a fused qkv once: %s order", (order) => {
    const channels = [0, 1, 2].flatMap((part) =>
      Array.from({ length: 12 }, (_, c) => qkvChannel(order, 3, 12, part, c)),
    );
    expect([...channels].sort((a, b) => a - b)).toEqual(Array.from({ length: 36 }, (_, i) => i));
  });

  it("declare nested names once each, in order", () => {
    const scope = createScope();
    groupNorm(scope.child("mid_block").child("resnets.0").child("norm1"), 8, { groups: 2, eps: 1e-5 });
    expect(scope.params.map(({ name }) => name)).toEqual([
      "mid_block.resnets.0.norm1.weight",
      "mid_block.resnets.0.norm1.bias",
    ]);
  });
});

describe("embeddings of time", () => {
  const t = [0, 1, 17, 999];
  const by = (frequency: (i: number) => number, order: "cos|sin" | "sin|cos") =>
    t.flatMap((step) => {
      const angles = Array.from({ length: 8 }, (_, i) => step * frequency(i));
      const [cos, sin] = [angles.map(Math.cos), angles.map(Math.sin)];
      return order === "cos|sin" ? [...cos, ...sin] : [...sin, ...cos];
    });
  // float32 angles up to 999 carry an error of 6e-5.
  it("are cosines, then sines in ADM", () =>
    expect(
      worst(
        cosSinEmbedding(tf.tensor1d(t), 16),
        by((i) => 10_000 ** (-i / 8), "cos|sin"),
      ),
    ).toBeLessThan(1e-4));
  it("are sines, then cosines in DDPM, the last frequency being 1/10000", () =>
    expect(
      worst(
        sinCosEmbedding(tf.tensor1d(t), 16),
        by((i) => 10_000 ** (-i / 7), "sin|cos"),
      ),
    ).toBeLessThan(1e-4));
  it("reach the end point in EDM if asked", () => {
    const options = { endpoint: true, maxPositions: 500 };
    expect(
      worst(
        positionalEmbedding(tf.tensor1d(t), 16, options),
        by((i) => 500 ** (-i / 7), "cos|sin"),
      ),
    ).toBeLessThan(1e-4);
  });
  it("pad an odd width with a zero", () => {
    const odd = cosSinEmbedding(tf.tensor1d([3]), 5);
    expect(odd.shape).toEqual([1, 5]);
    expect(odd.dataSync()[4]).toBe(0);
  });
});
