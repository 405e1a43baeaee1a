import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { admModules, fromAdm } from "../../shared/models/adm-names.ts";
import { buildEncoder } from "../../shared/models/classifier.ts";
import { buildUnet, type UnetConfig } from "../../shared/models/unet.ts";
import { initialParameters } from "../../shared/nn/init.ts";
import type { Forward, Network, NetworkInput } from "../../shared/nn/network.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";
import { testBackend } from "../support/backend.ts";
import { gradientErrors, patterned } from "../support/gradient-check.ts";

beforeAll(testBackend);

const base: UnetConfig = {
  inC: 2,
  outC: 2,
  channels: 8,
  channelMult: [1, 2],
  resBlocks: 1,
  attentionLevels: [1],
  groups: 4,
  eps: 1e-5,
  dropout: 0,
  scaleShift: true,
  resample: "conv",
  classRows: 3,
};

/** Two captions of three words. */
const TEXT = { vocabulary: { tokens: 5, length: 3 }, width: 8, layers: 1, heads: 2 };
const FROZEN_TEXT = { width: 8, layers: 0, heads: 2 };

/** Two captions, of two words and of one, in three places: each word with a 1 behind it. */
const givenWords = () =>
  tf.tensor1d(
    [2, 1].flatMap((count, i) =>
      Array.from({ length: 3 * 9 }, (_, k) => (k >= 9 * count ? 0 : k % 9 === 8 ? 1 : Math.sin(20 * i + k))),
    ),
  );

const identity: Forward["dropout"] = (x) => x;

/** Forward over tensors in the order of the declared parameters. */
const over = (network: Network, tensors: readonly tf.Tensor[], dropout = identity): Forward => {
  const byName = new Map(network.params.map(({ name }, i) => [name, tensors[i]!]));
  return { param: (name) => byName.get(name)!, dropout };
};

/** Every parameter filled with values of PyTorch's size; nothing is zero, so every path counts. */
const filled = (network: Network): tf.Tensor[] =>
  network.params.map(({ name, shape }, i) => {
    const fanIn = shape.slice(0, -1).reduce((n, k) => n * k, 1);
    const values = tf.mul(patterned(shape, i + 1), shape.length === 1 ? 0.1 : 1 / Math.sqrt(fanIn));
    return /norm.*weight$/.test(name) ? tf.add(1, values) : values;
  });

const input = (config: UnetConfig, side = 8): NetworkInput => ({
  x: patterned([2, side, side, config.lowRes ? config.inC / 2 : config.inC], 77) as tf.Tensor4D,
  lowRes: config.lowRes
    ? { images: patterned([2, side, side, config.inC / 2], 78) as tf.Tensor4D, level: tf.tensor1d([0, 700]) }
    : null,
  text: !config.text ? null : config.text.vocabulary ? tf.tensor1d([3, 1, 0, 2, 4, 3], "int32") : givenWords(),
  t: tf.tensor1d([3, 40]),
  y: config.classRows > 0 ? tf.tensor1d([0, config.classRows - 1], "int32") : null,
});

describe("a fresh U-Net", () => {
  it("returns exactly 0, whatever its input", () => {
    const network = buildUnet(base);
    const layout = buildLayout(network.params);
    const flat = initialParameters(layout, 1);
    const tensors = layout.tensors.map(({ offset, size, shape }) =>
      tf.tensor(flat.slice(offset, offset + size), [...shape]),
    );
    const out = network.forward(over(network, tensors), input(base));
    expect(out.shape).toEqual([2, 8, 8, 2]);
    expect([...out.dataSync()].every((value) => value === 0)).toBe(true);
  });

  it("starts at zero where a branch joins, and nowhere else", () => {
    const zeros = buildUnet(base).params.filter(({ init }) => init.kind === "zeros");
    const expected = /(conv2|to_out\.0|conv_out)\.(weight|bias)$|norm\w*\.bias$/;
    expect(zeros.map(({ name }) => name).filter((name) => !expected.test(name))).toEqual([]);
    expect(zeros.filter(({ name }) => name.startsWith("conv_out."))).toHaveLength(2);
  });

  it("draws weights within 1 / sqrt(fan in), as PyTorch does", () => {
    const init = (name: string) => buildUnet(base).params.find((param) => param.name === name)!.init;
    expect(init("conv_in.weight")).toEqual({ kind: "uniform", scale: 1 / Math.sqrt(2 * 9) });
    expect(init("time_embedding.linear_1.bias")).toEqual({ kind: "uniform", scale: 1 / Math.sqrt(8) });
    expect(init("class_embedding.weight")).toEqual({ kind: "normal", scale: 1 });
  });
});

describe("gradients of whole networks agree with finite differences", () => {
  const variants: [string, Partial<UnetConfig>, step?: number][] = [
    ["scale and shift, convolutions that resample, one head", {}],
    ["added embedding, two heads", { scaleShift: false, headChannels: 8, classRows: 0 }],
    ["residual blocks that resample, attention at the finest level", { resample: "resblock", attentionLevels: [0] }],
    ["an upsampler that is told how far its small image was noised", { inC: 4, lowRes: "augmented" }, 1e-3],
    ["words of captions beside the pixels, and their mean in the embedding", { classRows: 0, text: TEXT }, 2e-3],
    [
      "words of a frozen encoder, and the one that stands where there is none",
      { classRows: 0, text: FROZEN_TEXT },
      2e-3,
    ],
    ["more blocks where pixels are few, skips that are scaled", { levelBlocks: [1, 2], scaleSkips: true }, 2e-3],
    ["two blocks a level, a wide first level", { channelMult: [2, 3], resBlocks: 2, attentionLevels: [] }],
  ];
  it.each(variants)("%s", (_name, change, step = 4e-3) => {
    const config = { ...base, ...change };
    const network = buildUnet(config);
    const at = input(config, 4);
    const f = (x: tf.Tensor, ...tensors: tf.Tensor[]) =>
      network.forward(over(network, tensors), { ...at, x: x as tf.Tensor4D });
    const errors = gradientErrors(f, [at.x, ...filled(network)], step);
    const names = ["x", ...network.params.map(({ name }) => name)];
    // A key's bias moves all scores of a query alike: its true gradient is 0, and what is left is rounding.
    const bad = names.filter((name, i) => !name.endsWith("to_k.bias") && !(errors[i]! < 0.03));
    expect(bad).toEqual([]);
  });

  it("the classifier, with both of its pools", () => {
    for (const pool of ["attention", "adaptive"] as const) {
      const config = { ...base, outC: 4, classRows: 0, headChannels: 8, pool, bottomSide: 2 };
      const network = buildEncoder(config);
      const at = input(config, 4);
      const f = (x: tf.Tensor, ...tensors: tf.Tensor[]) =>
        network.forward(over(network, tensors), { ...at, x: x as tf.Tensor4D });
      const errors = gradientErrors(f, [at.x, ...filled(network)], 4e-3);
      const names = ["x", ...network.params.map(({ name }) => name)];
      expect(names.filter((name, i) => !name.endsWith("to_k.bias") && !(errors[i]! < 0.03))).toEqual([]);
    }
  });
});

describe("what a U-Net listens to", () => {
  const network = buildUnet(base);
  const outputs = (change: Partial<NetworkInput>) =>
    network.forward(over(network, filled(network)), { ...input(base), ...change }).dataSync();

  it("the class: another label changes its own sample and no other", () => {
    const [first, second] = [outputs({}), outputs({ y: tf.tensor1d([1, 2], "int32") })];
    const half = first.length / 2;
    expect(first.subarray(0, half)).not.toEqual(second.subarray(0, half));
    expect(first.subarray(half)).toEqual(second.subarray(half));
  });

  it("how an image was augmented, where it has a map of that: zeros are no augmentation, and it draws without any", () => {
    const told = buildUnet({ ...base, augmentLabels: 4 });
    const tensors = filled(told);
    const out = (augment?: number[]) => {
      const labels = augment && tf.tensor2d([...augment, ...augment], [2, 4]);
      return told.forward(over(told, tensors), { ...input(base), ...(labels && { augment: labels }) }).dataSync();
    };
    expect(out([0, 0, 0, 0])).toEqual(out());
    expect(out([0, 1, 0, 0])).not.toEqual(out());
  });

  it("the time step", () => expect(outputs({ t: tf.tensor1d([4, 40]) })).not.toEqual(outputs({})));

  it("labels must be given when there are classes", () =>
    expect(() => outputs({ y: null })).toThrow(/a network of 3 classes was given no labels/));
});

describe("what a U-Net reads", () => {
  const config = { ...base, classRows: 0, text: TEXT };
  const network = buildUnet(config);
  const read = (change: Partial<NetworkInput>) =>
    network.forward(over(network, filled(network)), { ...input(config), ...change }).dataSync();
  const captions = (...words: number[]) => ({ text: tf.tensor1d(words, "int32") });

  it("the words of a caption and their order: they change its own sample and no other", () => {
    const first = read({});
    const half = first.length / 2;
    for (const other of [captions(3, 1, 0, 2, 4, 1), captions(3, 1, 0, 4, 2, 3)]) {
      const second = read(other);
      expect(second.subarray(0, half)).toEqual(first.subarray(0, half));
      expect(second.subarray(half)).not.toEqual(first.subarray(half));
    }
  });

  it("captions must be given, if only as words that are none", () => {
    expect(() => read({ text: null })).toThrow(/reads captions was given none/);
    expect(read(captions(0, 0, 0, 0, 0, 0)).every(Number.isFinite)).toBe(true);
  });

  it("a fresh one attends to them and returns exactly 0", () => {
    const layout = buildLayout(network.params);
    const flat = initialParameters(layout, 1);
    const tensors = layout.tensors.map(({ offset, size, shape }) =>
      tf.tensor(flat.slice(offset, offset + size), [...shape]),
    );
    expect([...network.forward(over(network, tensors), input(config)).dataSync()].every((v) => v === 0)).toBe(true);
    expect(layout.tensors.some(({ name }) => name.endsWith("add_k_proj.weight"))).toBe(true);
  });
});

describe("dropout", () => {
  it("is asked for once in every residual block, at the configured rate", () => {
    const config = { ...base, dropout: 0.25 };
    const network = buildUnet(config);
    const rates: number[] = [];
    network.forward(
      over(network, filled(network), (x, rate) => {
        rates.push(rate);
        return x;
      }),
      input(config),
    );
    const blocks = network.params.filter(({ name }) => name.endsWith("conv2.weight")).length;
    expect(rates).toEqual(new Array(blocks).fill(0.25));
  });
});

describe("memory", () => {
  it("holds the number of tensors flat over 100 steps of value and gradient", () => {
    const network = buildUnet({ ...base, channels: 4, channelMult: [1, 1] });
    const tensors = filled(network);
    const at = input(base, 4);
    const step = () =>
      tf.tidy(() => {
        const objective = (...ts: tf.Tensor[]) =>
          tf.mean(tf.square(network.forward(over(network, ts), at))) as tf.Scalar;
        tf.valueAndGrads(objective)(tensors).value.dataSync();
      });
    step();
    const before = tf.memory().numTensors;
    for (let i = 0; i < 100; i++) step();
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("settings that fit no network are refused", () => {
  it.each<[string, Partial<UnetConfig>, RegExp]>([
    ["groups", { groups: 3 }, /3 groups do not divide the 8 channels of level 0/],
    ["heads", { headChannels: 5 }, /heads of 5 channels do not divide the 16 channels of level 1/],
    ["number of heads", { heads: 3 }, /3 heads do not divide the 16 channels of level 1/],
    ["attention at no level", { attentionLevels: [2] }, /attention is asked for at level 2/],
    ["part of a channel", { channelMult: [1, 1.3] }, /level 1 would have 10\.4 channels/],
  ])("%s", (_name, change, message) => {
    expect(() => buildUnet({ ...base, ...change })).toThrow(message);
    expect(() => buildEncoder({ ...base, ...change, pool: "adaptive", bottomSide: 2 })).toThrow(message);
  });
});

describe("names", () => {
  it.each(["conv", "resblock"] as const)("of ADM reach every parameter, each once: resampling by %s", (resample) => {
    const config = { ...base, resample, channelMult: [1, 2, 2], resBlocks: 2, attentionLevels: [1, 2] };
    const network = buildUnet(config);
    const modules = [...admModules(config).entries()].filter(([, ours]) =>
      network.params.some(({ name }) => name.startsWith(`${ours}.`)),
    );
    const shapes = new Map(network.params.map(({ name, shape }) => [name, shape]));
    const reached = modules.flatMap(([adm, ours]) => {
      const leaves = ours === "class_embedding" ? ["weight"] : ["weight", "bias"];
      return leaves.flatMap((leaf) => {
        const C = shapes.get(`${ours}.to_q.bias`)?.[0];
        const shape =
          C && adm.endsWith(".qkv") ? (leaf === "bias" ? [3 * C] : [C, 3 * C]) : shapes.get(`${ours}.${leaf}`)!;
        const values = new Float32Array(shape.reduce((n, k) => n * k, 1));
        return fromAdm([{ name: `${adm}.${leaf}`, shape, values }], new Map(modules), "new", () => 1);
      });
    });
    expect(reached.map(({ name }) => name).sort()).toEqual(network.params.map(({ name }) => name).sort());
    for (const { name, shape } of reached) expect(shape).toEqual(shapes.get(name));
  });

  it("that ADM does not have are refused", () => {
    const stray = { name: "input_blocks.99.0.in_layers.0.weight", shape: [8], values: new Float32Array(8) };
    expect(() => fromAdm([stray], admModules(base), "new", () => 1)).toThrow(
      /input_blocks\.99\.0\.in_layers\.0\.weight is no tensor of this network/,
    );
  });
});
