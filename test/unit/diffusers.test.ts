import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type DiffusersConfig,
  diffusersConfig,
  diffusersTensor,
  fromDiffusers,
  toDiffusers,
  unetOfDiffusers,
} from "../../shared/models/diffusers.ts";
import { buildUnet, type UnetConfig } from "../../shared/models/unet.ts";
import { sizeOf } from "../../shared/tensor/layout.ts";
import { formulaWeights } from "../golden/arrays.ts";
import { forwardWith } from "../golden/params.ts";
import { testBackend } from "../support/backend.ts";

type Row = [name: string, shape: number[], scale: number, seed: number, offset: number];

interface Case {
  readonly name: string;
  readonly config: UnetConfig;
  readonly parameters: number;
  readonly tensors: readonly Row[];
  readonly input: { readonly shape: number[]; readonly scale: number; readonly seed: number; readonly offset: number };
  readonly t: number[];
  readonly y: number[] | null;
  readonly output: { readonly shape: number[]; readonly values: number[] };
}

const { cases } = JSON.parse(readFileSync(new URL("./fixtures/diffusers-unet2d.json", import.meta.url), "utf8")) as {
  cases: Case[];
};

const filled = (rows: readonly Row[]) =>
  formulaWeights({ rows: rows.map(([name, shape, scale, seed, offset]) => [name, "", shape, scale, seed, offset]) });

beforeAll(testBackend);

describe.each(cases)("UNet2DModel with $name", ({ config, parameters, tensors, input, t, y, output }) => {
  const network = buildUnet(config);

  it("has the same tensors: each name once, the same shapes, the same number of parameters", () => {
    const ours = network.params.map(({ name, shape }) => diffusersTensor(name, shape));
    const theirs = tensors.map(([name, shape]) => ({ name, shape }));
    expect(new Set(ours.map(({ name }) => name)).size).toBe(ours.length);
    expect(ours.map(({ name, shape }) => ({ name, shape })).sort(byName)).toEqual([...theirs].sort(byName));
    expect(network.params.reduce((sum, { shape }) => sum + sizeOf(shape), 0)).toBe(parameters);
  });

  it("computes the same output from the same weights", () => {
    const worst = tf.tidy(() => {
      const f = forwardWith(network.params, filled(tensors).map(fromDiffusers));
      const [row] = filled([["x", input.shape, input.scale, input.seed, input.offset]]);
      const x = tf.transpose(
        tf.tensor4d(row!.values, input.shape as [number, number, number, number]),
        [0, 2, 3, 1],
      ) as tf.Tensor4D;
      const labels = y && tf.tensor1d(y, "int32");
      const got = tf.transpose(network.forward(f, { x, t: tf.tensor1d(t), y: labels }), [0, 3, 1, 2]);
      expect(got.shape).toEqual(output.shape);
      return Math.max(...got.dataSync().map((value, i) => Math.abs(value - output.values[i]!)));
    });
    // Outputs are of size 1; float32 against float64.
    expect(worst).toBeLessThan(2e-5);
  });

  it("comes back from its config.json as the same network", () => {
    const again = unetOfDiffusers(JSON.parse(JSON.stringify(diffusersConfig(config, 8))) as DiffusersConfig);
    expect(buildUnet(again).params).toEqual(network.params);
    expect(diffusersConfig(again)).toEqual(diffusersConfig(config));
  });
});

const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);

describe("the order of axes", () => {
  it("moves HWIO to OIHW and [in, out] to [out, in], value by value", () => {
    const hwio = {
      name: "conv_in.weight",
      shape: [3, 3, 2, 5],
      values: Float32Array.from({ length: 90 }, (_, i) => i),
    };
    const oihw = toDiffusers(hwio);
    expect(oihw.shape).toEqual([5, 2, 3, 3]);
    const at = (h: number, w: number, i: number, o: number) => ((h * 3 + w) * 2 + i) * 5 + o;
    expect(oihw.values[((4 * 2 + 1) * 3 + 2) * 3 + 0]).toBe(at(2, 0, 1, 4));
    expect(oihw.values[((1 * 2 + 0) * 3 + 0) * 3 + 2]).toBe(at(0, 2, 0, 1));
    const dense = { name: "time_embedding.linear_1.weight", shape: [2, 3], values: Float32Array.of(0, 1, 2, 3, 4, 5) };
    expect(toDiffusers(dense)).toEqual({ ...dense, shape: [3, 2], values: Float32Array.of(0, 3, 1, 4, 2, 5) });
  });

  it("leaves embeddings, gains and biases as they are", () => {
    const rows = { name: "class_embedding.weight", shape: [2, 3], values: Float32Array.of(0, 1, 2, 3, 4, 5) };
    expect(toDiffusers(rows)).toEqual(rows);
    const gain = { name: "conv_norm_out.weight", shape: [3], values: Float32Array.of(0, 1, 2) };
    expect(toDiffusers(gain)).toEqual(gain);
  });

  it("comes back to the bit from any shape", () => {
    const shape = fc.oneof(
      fc.tuple(
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 3 }),
        fc.nat(6),
        fc.integer({ min: 1, max: 6 }),
      ),
      fc.tuple(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 7 })),
      fc.tuple(fc.integer({ min: 1, max: 9 })),
    );
    fc.assert(
      fc.property(shape, (extents) => {
        const values = Float32Array.from({ length: sizeOf(extents) }, (_, i) => i + 0.5);
        const tensor = { name: "conv_in.weight", shape: [...extents], values };
        expect(fromDiffusers(toDiffusers(tensor))).toEqual(tensor);
        expect(toDiffusers(tensor).shape).toEqual(diffusersTensor(tensor.name, tensor.shape).shape);
      }),
    );
  });
});

describe("what the two libraries do not share", () => {
  const config = cases[0]!.config;
  const json = diffusersConfig(config, 8);

  it("is refused on the way out: several heads over different channels", () => {
    expect(() => diffusersConfig({ ...config, attentionLevels: [0, 1], heads: 2 })).toThrow(
      /UNet2DModel cannot have 2 heads over 8 and 16 channels/,
    );
  });

  it("is refused on the way out: a time embedding of its own width", () => {
    expect(() => diffusersConfig({ ...config, embedChannels: 32 })).toThrow(/32 sinusoids over 8 channels/);
  });

  it.each<[string, Partial<DiffusersConfig>]>([
    ["another class", { _class_name: "UNet2DConditionModel" }],
    ["DDPM's time embedding", { flip_sin_to_cos: false }],
    ["TensorFlow's padding", { downsample_padding: 0 }],
    ["a middle without its norm", { attn_norm_num_groups: null }],
    ["no middle", { mid_block_type: null }],
    ["attention on one way only", { up_block_types: ["UpBlock2D", "UpBlock2D"] }],
    ["other blocks", { down_block_types: ["SkipDownBlock2D", "AttnDownBlock2D"] }],
    ["residual blocks on one way only", { upsample_type: "resnet" }],
  ])("is refused on the way in, by the name of the field: %s", (_what, change) => {
    expect(() => unetOfDiffusers({ ...json, ...change })).toThrow(
      expect.objectContaining({
        code: "FAILED_PRECONDITION",
        message: expect.stringContaining(`config.json has ${Object.keys(change)[0]} `),
      }),
    );
  });

  it("takes a field that config.json leaves out at the library's default", () => {
    const { norm_eps: _, dropout: __, downsample_type: ___, ...rest } = json;
    expect(unetOfDiffusers(rest)).toEqual(unetOfDiffusers(json));
  });
});
