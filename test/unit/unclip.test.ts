// CLIP, the prior and the decoder of unCLIP: their micro-batches, what they are told, and what they draw.

import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../shared/backends/backend.ts";
import { parseJob } from "../../shared/config/load.ts";
import { openScenes } from "../../shared/data/sources/captions.ts";
import { ofLength } from "../../shared/diffusion/embeddings.ts";
import { createBits } from "../../shared/eval/model-bits.ts";
import { chance, meanCosine, retrieval } from "../../shared/eval/retrieval.ts";
import { initialParameters } from "../../shared/nn/init.ts";
import type { TokenModel } from "../../shared/nn/network.ts";
import { createDeviceParams, inference } from "../../shared/pipeline/device-params.ts";
import { codesOf, embeddingsOf } from "../../shared/pipeline/embedding-codes.ts";
import { createGenerator } from "../../shared/pipeline/generate.ts";
import { createMicroBatch } from "../../shared/pipeline/micro-batch.ts";
import { buildNetwork } from "../../shared/pipeline/network.ts";
import { createPrior } from "../../shared/pipeline/prior.ts";
import { createEmbedder, type Embedder } from "../../shared/pipeline/towers.ts";
import { PROMPTS } from "../../shared/scenes/prompts.ts";
import { tokensOf } from "../../shared/scenes/tokens.ts";
import { MOST_WORDS } from "../../shared/scenes/words.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";
import { testBackend } from "../support/backend.ts";
import { expectSlopes } from "../support/gradient-check.ts";

let backend: Backend;
beforeAll(async () => {
  backend = await testBackend();
});

const image = { height: 16, width: 16, channels: 3 };
const D = 12;
/** Buckets of an ar-prior. */
const K = 16;

const MODELS = {
  clip: `
  model: { type: clip, channels: 8, headChannels: 4, layers: 1, embedding: ${D}, text: { width: 8, layers: 1 } }
  diffusion: { objective: contrastive }`,
  prior: `
  model: { type: prior, channels: 8, headChannels: 4, layers: 1, embedding: ${D}, text: { width: 8, layers: 0 } }
  models: { clip: { from: "file://clip" } }
  diffusion: { predict: x0 }
  sampling: { steps: 3, guidance: 2 }`,
  "ar-prior": `
  model:
    { type: ar-prior, channels: 8, headChannels: 4, layers: 1, embedding: ${D}, buckets: ${K}, text: { width: 8, layers: 0 } }
  models: { clip: { from: "file://clip" } }
  diffusion: { objective: next-token }
  sampling: { sampler: generator, steps: 1, guidance: 2 }`,
  decoder: `
  model: { channels: 8, channelMult: [1], groups: 4, attention: [4], embedding: ${D} }
  models: { clip: { from: "file://clip" } }
  diffusion: { process: imagen, predict: v }`,
};

/** Weights away from the zeros of a fresh network, so that what it is told is felt: of what draws codes, in a choice of few. */
const stirredBy =
  (scale: number) =>
  (fresh: Float32Array): Float32Array =>
    fresh.map((w, k) => w + scale * Math.sin(k));
const stirred = stirredBy(0.05);

async function opened(name: keyof typeof MODELS, weights = stirred, set: readonly string[] = []) {
  const text = `
metadata: { name: ${name} }
spec:
  data: { source: "captions:16", imageSize: 16, patch: 4 }${MODELS[name]}
  training: { globalBatch: 16, microBatch: 4 }`;
  const { spec } = parseJob(text, { set: [...set] });
  const network = await buildNetwork(spec, image);
  const layout = buildLayout(network.params);
  const params = createDeviceParams(layout);
  params.load(weights(initialParameters(layout, 3)));
  return { spec, network, layout, params };
}
type Opened = Awaited<ReturnType<typeof opened>>;

const someScenes = () => openScenes(16, 16, "train").read([0, 1, 2, 3]);

/** A micro-batch: its loss, and its gradient by the tensors' names. */
async function ran({ spec, network, layout, params }: Opened, clip?: Opened, batch = {}) {
  const compute = createMicroBatch(spec, network, layout, image, backend, clip && { clip });
  const flat = new Float32Array(layout.size);
  const loss = await compute(params, { step: 0, index: 0, ...(await someScenes()), ...batch }, flat);
  const gradient = layout.tensors.map(
    ({ name, offset, size }) => [name, [...flat.subarray(offset, offset + size)]] as const,
  );
  return { loss, flat, gradient: new Map(gradient) };
}

const unfelt = ({ gradient }: Awaited<ReturnType<typeof ran>>): string[] =>
  [...gradient].filter(([, values]) => values.every((value) => value === 0)).map(([name]) => name);

const embedderOf = async (model = opened("clip")) => createEmbedder(await model, image, backend.program);
const numbers = (x: tf.Tensor): number[] => [...x.dataSync()];

describe("a micro-batch of a clip", () => {
  it("is a pure function of its pictures and captions, and teaches every part", async () => {
    const clip = await opened("clip");
    const once = await ran(clip);
    expect(await ran(clip)).toEqual(once);
    expect((await ran(clip, undefined, { captions: PROMPTS.slice(0, 4) })).loss).not.toBe(once.loss);
    expect(unfelt(once)).toEqual([]);
  });

  it("has the slope that its loss has", async () => {
    const clip = await opened("clip");
    const { flat: gradient } = await ran(clip);
    const lossAt = async (values: Float32Array) => {
      clip.params.load(values);
      return (await ran(clip)).loss;
    };
    const flat = stirred(initialParameters(clip.layout, 3));
    await expectSlopes(
      lossAt,
      flat,
      gradient,
      clip.layout.tensors.filter(({ name }, i) => i % 9 === 0 || name === "logit_scale"),
    );
  });

  it("multiplies cosines by 100 at most", async () => {
    const clip = await opened("clip", (fresh) => fresh.fill(6));
    const scale = clip.network.towers!.logScale(inference((name) => clip.params.get(name)));
    expect(Math.exp(scale.dataSync()[0]!)).toBeCloseTo(100, 3);
  });
});

describe("CLIP's embeddings", () => {
  it("are of length sqrt(D), and depend on their own picture or caption alone", async () => {
    const embedder = await embedderOf();
    const { pixels, captions } = await someScenes();
    const size = pixels.length / 4;
    const pairs = [
      [embedder.images(pixels), embedder.images(pixels.slice(size, 2 * size))],
      [embedder.texts(tokensOf(captions!)), embedder.texts(tokensOf([captions![1]!]))],
    ];
    for (const [all, one] of pairs) {
      expect(numbers(all!).slice(D, 2 * D)).toEqual(numbers(one!));
      expect(Math.hypot(...numbers(one!))).toBeCloseTo(Math.sqrt(D), 4);
    }
  });

  it("of a caption are read where it ends: what stands behind is not seen, each word before it is", async () => {
    const [short, long] = [tokensOf(["red square"]), tokensOf(["red square top left"])];
    const clip = await opened("clip");
    const place = clip.layout.tensors.find(({ name }) => name === "text_model.embeddings.position_embedding.weight")!;
    const other = await opened("clip", (fresh) => {
      const weights = stirred(fresh);
      // Behind the begin, two words and the end.
      weights.subarray(place.offset + 4 * 8, place.offset + place.size).fill(1);
      return weights;
    });
    const [a, b] = [await embedderOf(Promise.resolve(clip)), await embedderOf(Promise.resolve(other))];
    expect(numbers(b.texts(short))).toEqual(numbers(a.texts(short)));
    expect(numbers(b.texts(long))).not.toEqual(numbers(a.texts(long)));
    expect(numbers(a.texts(tokensOf(["blue square"])))).not.toEqual(numbers(a.texts(short)));
  });

  it("of no caption are zeros", async () => {
    const embedder = await embedderOf();
    expect(numbers(embedder.texts(new Int32Array(MOST_WORDS))).every((value) => value === 0)).toBe(true);
  });
});

describe("a prior", () => {
  it("learns embeddings of variance 1, which a fresh one takes for 0", async () => {
    const fresh = await opened("prior", (weights) => weights);
    expect((await ran(fresh, await opened("clip"))).loss).toBeCloseTo(1, 5);
  });

  it("of codes costs a fresh one what knows nothing: the logarithm of the buckets", async () => {
    const fresh = await opened("ar-prior", (weights) => weights);
    expect((await ran(fresh, await opened("clip"))).loss).toBeCloseTo(Math.log(K), 5);
  });

  it.each(["prior", "ar-prior"] as const)(
    "(%s) is taught every part by a micro-batch, which is a pure function of the captions and the clip",
    async (name) => {
      const [prior, clip] = [await opened(name), await opened("clip")];
      const once = await ran(prior, clip);
      expect(await ran(prior, clip)).toEqual(once);
      expect(unfelt(once)).toEqual([]);
      expect((await ran(prior, clip, { captions: PROMPTS.slice(0, 4) })).loss).not.toBe(once.loss);
      const other = await opened("clip", (fresh) => stirred(stirred(fresh)));
      expect((await ran(prior, other)).loss).not.toBe(once.loss);
    },
  );

  it.each(["ddim", "ancestral", "heun", "dpm-adaptive", "generator"])(
    "draws by %s an embedding of its caption and its own index, whatever is beside it",
    async (sampler) => {
      const [name, scale] = sampler === "generator" ? (["ar-prior", 0.5] as const) : (["prior", 0.05] as const);
      const prior = await opened(name, stirredBy(scale), [`sampling.sampler=${sampler}`]);
      const draw = createPrior(prior, await embedderOf(), backend.program);
      const both = numbers(await draw({ indices: [3, 7], captions: PROMPTS.slice(0, 2), seed: 1 }));
      const one = numbers(await draw({ indices: [7], captions: [PROMPTS[1]!], seed: 1 }));
      expect(both.slice(D)).toEqual(one);
      expect(Math.hypot(...one)).toBeCloseTo(Math.sqrt(D), 4);
      expect(numbers(await draw({ indices: [7], captions: [PROMPTS[2]!], seed: 1 }))).not.toEqual(one);
    },
  );
});

describe("codes of an embedding", () => {
  const embeddings = (numbers: readonly number[]) =>
    ofLength(Math.sqrt(D))(tf.tensor2d([...numbers], [numbers.length / D, D])) as tf.Tensor2D;

  it("are those of its numbers, to within the square root of D by K, behind that of its dot product", () => {
    const images = embeddings(Array.from({ length: 3 * D }, (_, k) => Math.sin(k * k)));
    const codes = codesOf(images, images, K);
    expect(codes.shape).toEqual([3, 1 + D]);
    expect(
      codesOf(tf.neg(images), images, K)
        .arraySync()
        .map(([dot]) => dot),
    ).toEqual([0, 0, 0]);
    expect(codes.arraySync().map(([dot]) => dot)).toEqual([K - 1, K - 1, K - 1]);
    const middles = numbers(embeddingsOf(codes.dataSync<"int32">(), D, K));
    const errors = numbers(images).map((number, i) => Math.abs(number - middles[i]!));
    expect(Math.max(...errors)).toBeLessThanOrEqual(Math.sqrt(D) / K + 1e-6);
  });

  it("reach to an embedding of one dimension alone", () => {
    const axis = (sign: number) => embeddings(Array.from({ length: D }, (_, k) => (k === 0 ? sign : 0)));
    const [first, other] = [axis(1), axis(-1)].map((image) => numbers(codesOf(image, image, K))[1]);
    expect([first, other]).toEqual([K - 1, 0]);
  });

  it("are each told by those before it, the caption and its embedding alone", async () => {
    const { network, params } = await opened("ar-prior");
    const logits = (caption: string, codes: readonly number[], told = 1) => {
      const words = tf.tensor1d(tokensOf([caption]), "int32");
      const embedding = tf.fill([1, D], told) as tf.Tensor2D;
      const row = tf.tensor2d([...codes], [1, 1 + D], "int32");
      return network.tokens!.next(inference(params.get), words, row, embedding).codes.logits.arraySync();
    };
    const codes = Array.from({ length: 1 + D }, (_, k) => k);
    const one = logits("red square", codes);
    const changed = logits("red square", codes.with(4, 15));
    expect(changed.map((row, i) => row.every((value, k) => value === one[i]![k]))).toEqual(codes.map((k) => k <= 4));
    expect(logits("red circle", codes)[0]).not.toEqual(one[0]);
    expect(logits("red square", codes, 2)[0]).not.toEqual(one[0]);
  });

  it("are drawn behind a dot product of the upper half", async () => {
    const prior = await opened("ar-prior");
    /** Every number of an embedding is the first code again, which is any. */
    const again = (codes: tf.Tensor2D) => {
      const [n, N] = codes.shape;
      const first = tf.oneHot(tf.reshape(tf.slice(codes, [0, 0], [n, 1]), [n]) as tf.Tensor1D, K);
      const later = tf.greater(tf.reshape(tf.range(0, N), [1, N, 1]), 0);
      const rows = tf.mul(tf.reshape(tf.cast(first, "float32"), [n, 1, K]), tf.cast(later, "float32"));
      return tf.reshape(tf.mul(rows, 99), [n * N, K]) as tf.Tensor2D;
    };
    const tokens: TokenModel = {
      ...prior.network.tokens!,
      next: (_, __, codes) => ({ words: null, codes: { logits: again(codes), there: again(codes) } }),
    };
    const echo = { ...prior, network: { ...prior.network, tokens } };
    const draw = createPrior(echo, await embedderOf(), backend.program);
    const indices = Array.from({ length: 8 }, (_, k) => k);
    const drawn = numbers(await draw({ indices, captions: indices.map((k) => PROMPTS[k]!), seed: 1 }));
    expect(Math.min(...drawn)).toBeCloseTo(1, 5);
  });
});

describe("a decoder", () => {
  it("learns of the embeddings of its pictures, but for those that are dropped", async () => {
    const clips = [await opened("clip"), await opened("clip", (fresh) => stirred(stirred(fresh)))];
    const lossesOf = async (drop: number) => {
      const decoder = await opened("decoder", stirred, [`diffusion.embeddingDrop=${drop}`]);
      const runs = [];
      for (const clip of clips) runs.push(await ran(decoder, clip));
      return runs;
    };
    const [a, b] = await lossesOf(0);
    expect(a!.loss).not.toBe(b!.loss);
    expect(unfelt(a!)).toEqual([]);
    const [c, d] = await lossesOf(1);
    expect(c!.loss).toBe(d!.loss);
  });

  const how = { seed: 1, sampler: "ddim", steps: 3, labels: null, guidance: 2 } as const;

  it("draws of pictures, and of what a prior draws of captions, each by itself", async () => {
    const [decoder, clip, prior] = [await opened("decoder"), await opened("clip"), await opened("prior")];
    const generate = createGenerator({ ...decoder, image, program: backend.program, clip, prior });
    const { pixels } = await someScenes();
    const size = pixels.length / 4;
    const part = (from: number, to: number) => ({ pictures: pixels.slice(from * size, to * size) });
    const told = await generate({ ...how, indices: [3, 7], ...part(0, 2) });
    expect([...told.subarray(size)]).toEqual([...(await generate({ ...how, indices: [7], ...part(1, 2) }))]);
    expect(await generate({ ...how, indices: [3], ...part(2, 3) })).not.toEqual(told.subarray(0, size));
    const both = await generate({ ...how, indices: [3, 7], captions: PROMPTS.slice(0, 2) });
    expect([...both.subarray(size)]).toEqual([...(await generate({ ...how, indices: [7], captions: [PROMPTS[1]!] }))]);
  });
});

describe("bits of a decoder", () => {
  it("are those of each image under its own embedding", async () => {
    const decoder = await opened("decoder", stirred, [
      "diffusion.process=ddpm",
      "diffusion.timesteps=10",
      "sampling.steps=5",
    ]);
    const asked = { ...decoder, image, program: backend.program, seed: 0 };
    const batch = { ...(await someScenes()), ids: [0, 1, 2, 3] };
    const bitsOf = async (embedder?: Embedder) => [
      ...(await createBits({ ...asked, embedder }).measure(batch, () => {})),
    ];
    const embedder = await embedderOf();
    const others = await someScenes();
    const size = others.pixels.length / 4;
    others.pixels.copyWithin(3 * size, 0, size); // the last one is told the first one's
    const [own, last, none] = [
      await bitsOf(embedder),
      await bitsOf({ ...embedder, images: () => embedder.images(others.pixels) }),
      await bitsOf(),
    ];
    expect(last.slice(0, 3)).toEqual(own.slice(0, 3));
    expect(new Set([own[3], last[3], none[3]]).size).toBe(3);
  });
});

describe("what finds its own", () => {
  const captions = ["red square", "blue circle", "red square", "green cross"];

  it("is counted once a caption: the same words of another picture are its own", () => {
    const keys = Float32Array.from([1, 0, 0, 1, 1, 0, -1, 0]);
    const queries = Float32Array.from([1, 0, 1, 0, 0.5, 0.1, -1, 0]);
    expect(retrieval(queries, keys, captions)).toEqual({ top1: 0.75, top5: 1 });
    expect(meanCosine(keys, keys, 4)).toBe(0.5); // rows of length 1, which count as sqrt(2)
  });

  it("is found by chance as often as it is among those that are chosen blindly", () => {
    const { top1, top5 } = chance(captions);
    expect(top1).toBeCloseTo((0.5 + 0.25 + 0.5 + 0.25) / 4, 12);
    expect(top5).toBe(1);
    expect(chance([...captions, ...Array.from({ length: 16 }, (_, k) => `other ${k}`)]).top5).toBeCloseTo(
      (18 * (5 / 20) + 2 * (1 - (15 * 14) / (20 * 19))) / 20,
      12,
    );
  });
});
