// Captions as a frozen text encoder tells a network of them.

import { writeFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../shared/backends/backend.ts";
import { floatsOf } from "../../shared/checkpoint/safetensors.ts";
import { parseJob } from "../../shared/config/load.ts";
import { openScenes } from "../../shared/data/sources/captions.ts";
import { initialParameters } from "../../shared/nn/init.ts";
import { openWords } from "../../shared/pipeline/caption-encoder.ts";
import { openCaptions } from "../../shared/pipeline/captions.ts";
import { createDeviceParams, inference } from "../../shared/pipeline/device-params.ts";
import { createMicroBatch } from "../../shared/pipeline/micro-batch.ts";
import { buildNetwork } from "../../shared/pipeline/network.ts";
import { tokensOf } from "../../shared/scenes/tokens.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";
import { openEncoder } from "../../shared/text/encode.ts";
import { type ReadText, readTextEncoder } from "../../shared/text/read.ts";
import { testBackend } from "../support/backend.ts";
import { scratchFolder } from "../support/plume.ts";
import { T5_CONFIG, writeT5 } from "../support/t5-folder.ts";

const scratch = scratchFolder();
afterAll(() => scratch[Symbol.dispose]());
const W = T5_CONFIG.d_model;
const LENGTH = 24;

let backend: Backend;
let encoder: ReadText;
beforeAll(async () => {
  backend = await testBackend();
  encoder = await readTextEncoder(`file://${writeT5(scratch.file("t5"))}`, {});
});

describe("words of a caption", () => {
  it("are the same bits whatever was asked before, kept or made again", async () => {
    const [keeps, forgets] = [
      openEncoder(encoder, LENGTH, backend.program),
      openEncoder(encoder, LENGTH, backend.program, 0),
    ];
    const first = await keeps("a red square");
    for (const caption of ["x", "a large red circle, left of all", "a red square"]) {
      expect(await forgets(caption)).toEqual(await keeps(caption));
      expect(await keeps(caption)).toBe(await keeps(caption));
    }
    const once = await forgets("a red square");
    await forgets("x");
    expect(await forgets("a red square")).not.toBe(once);
    expect(await keeps("a red square")).toBe(first);
  });

  it("beyond the longest are left out, but for its end", async () => {
    const encode = openEncoder(encoder, 8, backend.program);
    expect(await encode("abcdefghijkl")).toHaveLength(8 * W);
    expect(await encode("abcdefg, hijkl")).toEqual(await encode("abcdefg, else"));
  });
});

describe("words of a clip", () => {
  const { spec: job } = parseJob(`
metadata: { name: clip }
spec:
  data: { source: "captions:16", imageSize: 16, patch: 4 }
  model: { type: clip, channels: 8, layers: 1, embedding: 6, text: { width: 12, layers: 2 } }
  diffusion: { objective: contrastive }`);
  const image = { height: 16, width: 16, channels: 3 };
  const LONGEST = "a small blue circle left of a large red square";

  async function opened() {
    const network = await buildNetwork(job, image);
    const layout = buildLayout(network.params);
    const flat = initialParameters(layout, 3).map((w, k) => w + 0.05 * Math.sin(k));
    const params = createDeviceParams(layout);
    params.load(flat);
    const wordsOf = (most: number) => openWords({ spec: job, image, flat }, most, backend.program);
    return { towers: network.towers!, params, wordsOf };
  }

  it("are its text tower's at begin, words and end: the last is what the caption's embedding is made of", async () => {
    const { towers, params, wordsOf } = await opened();
    const encode = await wordsOf(10);
    for (const [caption, tokens] of [
      ["red square", 4],
      [LONGEST, 10],
    ] as const) {
      const words = await encode(caption);
      expect(words).toHaveLength(tokens * 12);
      const end = tf.tensor2d(words.slice(-12), [1, 12]);
      const projected = tf.matMul(end, params.get("text_projection.weight") as tf.Tensor2D).dataSync();
      const ids = tf.tensor1d(tokensOf([caption]), "int32");
      const embedded = towers
        .texts(
          inference((name) => params.get(name)),
          ids,
        )
        .dataSync();
      embedded.forEach((value, k) => expect(projected[k]).toBeCloseTo(value, 5));
    }
  });

  it("are the same bits whatever was asked before; those beyond the longest are left out, but for the end", async () => {
    const { wordsOf } = await opened();
    const [encode, other] = [await wordsOf(10), await wordsOf(10)];
    await other(LONGEST);
    expect(await other("Red square")).toEqual(await encode("a red square"));
    const short = await wordsOf(3);
    expect(await short("red square top left")).toEqual(await encode("red"));
  });

  it("are of the words of scenes alone", async () => {
    const encode = await (await opened()).wordsOf(10);
    await expect(encode("a corgi")).rejects.toThrow('the caption "a corgi" has the word corgi');
  });
});

describe("a folder that is none of an encoder", () => {
  const refused = (folder: string) => readTextEncoder(`file://${folder}`, {}).catch((error: Error) => error.message);
  const damaged = (name: string, file: string, content: string) => {
    const folder = writeT5(scratch.file(name));
    writeFileSync(`${folder}/${file}`, content);
    return folder;
  };

  it.each<[string, () => string, RegExp]>([
    [
      "a setting that is missing",
      () => writeT5(scratch.file("a"), { d_ff: null }, "none", T5_CONFIG),
      /config\.json: d_ff: /,
    ],
    [
      "an activation that T5 has not",
      () => writeT5(scratch.file("b"), { feed_forward_proj: "tanh" }, "none", T5_CONFIG),
      /feed_forward_proj: /,
    ],
    [
      "a tensor of another shape",
      () => writeT5(scratch.file("c"), { d_model: 8 }, "none", T5_CONFIG),
      /shared\.weight is \[64,16\], its config\.json makes it \[64,8\]/,
    ],
    ["a torn config", () => damaged("d", "config.json", "{"), /config\.json is no JSON/],
    [
      "another kind of tokenizer",
      () => damaged("e", "tokenizer.json", "{}"),
      /tokenizer\.json is none that plume reads/,
    ],
    [
      "weights that are none",
      () => damaged("f", "model.safetensors", "weights"),
      /model\.safetensors is no whole safetensors file: 7 bytes/,
    ],
    [
      "more tokens than rows",
      () => writeT5(scratch.file("g"), { vocab_size: 3 }),
      /gives numbers that the 3 rows of its embedding lack/,
    ],
  ])("is refused for %s", async (_, folder, message) => {
    expect(await refused(folder())).toMatch(message);
  });
});

const spec = (labelDrop = 0.5) =>
  parseJob(`
metadata: { name: tiny }
spec:
  data: { source: "captions:16", imageSize: 16, patch: 4 }
  model: { channels: 8, channelMult: [1, 2], groups: 4, attention: [2], text: { width: ${W}, layers: 0 } }
  models: { text: { from: "file:///nowhere", length: ${LENGTH} } }
  diffusion: { process: imagen, predict: v, labelDrop: ${labelDrop} }
  training: { globalBatch: 16, microBatch: 4 }`).spec;

describe("a network that reads them", () => {
  const image = { height: 16, width: 16, channels: 3 };

  async function tiny(labelDrop: number) {
    const job = spec(labelDrop);
    const network = await buildNetwork(job, image);
    const layout = buildLayout(network.params);
    const params = createDeviceParams(layout);
    params.load(initialParameters(layout, 3).map((w, k) => w + 0.05 * Math.sin(k)));
    const read = await openCaptions(job, encoder, backend.program);
    const compute = createMicroBatch(job, network, layout, image, backend, {}, read);
    const run = async (captions: readonly string[]) => {
      const gradient = new Float32Array(layout.size);
      const batch = await openScenes(16, 16, "train").read([0, 1, 2, 3]);
      const loss = await compute(params, { step: 0, index: 0, ...batch, captions }, gradient);
      return { loss, gradient };
    };
    return { layout, run };
  }
  const [some, others] = [
    ["a corgi", "two dogs", "a red square", ""],
    ["a cat", "two birds", "a blue circle", "a horse, far away"],
  ];

  it("learns from them, and the word that stands where there is none; other captions, another loss", async () => {
    const { layout, run } = await tiny(0.5);
    const once = await run(some!);
    expect(await run(some!)).toEqual(once);
    expect((await run(others!)).loss).not.toBe(once.loss);
    for (const name of ["text_encoder.no_word", "text_encoder.final_layer_norm.weight", "text_embedding.weight"]) {
      const { offset, size } = layout.tensors.find((tensor) => tensor.name === name)!;
      expect(
        once.gradient.subarray(offset, offset + size).every((value) => value !== 0),
        name,
      ).toBe(true);
    }
    expect(layout.tensors.some(({ name }) => /token_embedding|position/.test(name))).toBe(false);
  });

  it("does without them where all are dropped", async () => {
    const { run } = await tiny(1);
    expect((await run(others!)).loss).toBe((await run(some!)).loss);
  });

  it("is told a 1 behind each word, and zeros behind the last", async () => {
    const numbers = await (await openCaptions(spec(), encoder, backend.program))(["red", "a large red square"]);
    const there = Array.from({ length: 2 * LENGTH }, (_, k) => numbers[k * (W + 1) + W]!);
    const count = (of: number[]) => of.filter((value) => value === 1).length;
    expect(there.every((value) => value === 0 || value === 1)).toBe(true);
    expect(count(there.slice(0, LENGTH))).toBe(2); // red, and its end
    expect(count(there.slice(LENGTH))).toBeGreaterThan(4);
    expect(numbers.subarray(2 * (W + 1), LENGTH * (W + 1)).every((value) => value === 0)).toBe(true);
  });
});

it("weights in half and in brain precision are read as the numbers that they are", () => {
  const bytes = (...words: number[]) => new Uint8Array(Uint16Array.from(words).buffer);
  expect([...floatsOf(bytes(0x3c00, 0xc100, 0x0001, 0x7bff, 0x8000), "F16")]).toEqual([1, -2.5, 2 ** -24, 65504, -0]);
  expect([...floatsOf(bytes(0x3f80, 0xc020, 0x4049), "BF16")]).toEqual([1, -2.5, 3.140625]);
});
