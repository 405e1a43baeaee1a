// A clip as Hugging Face's CLIPModel: its folder, the way back, and what CLIPModel itself says with its weights. These answers are a
// fixture, made once by test/support/python/clip_peer.py.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { parseJob } from "../../shared/config/load.ts";
import { openScenes } from "../../shared/data/sources/captions.ts";
import { filesOf } from "../../shared/interop/formats.ts";
import { readModelFolder } from "../../shared/interop/read.ts";
import { writeFolder } from "../../shared/interop/write.ts";
import { initialParameters } from "../../shared/nn/init.ts";
import { contrastive } from "../../shared/objectives/contrastive.ts";
import { createDeviceParams, inference } from "../../shared/pipeline/device-params.ts";
import { normalise } from "../../shared/pipeline/images.ts";
import { buildNetwork } from "../../shared/pipeline/network.ts";
import { tokensOf } from "../../shared/scenes/tokens.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";
import { testBackend } from "../support/backend.ts";
import { scratchFolder } from "../support/plume.ts";

const scratch = scratchFolder();
const image = { height: 16, width: 16, channels: 3 };
const job = parseJob(`
metadata: { name: tiny-clip }
spec:
  data: { source: "captions:16", imageSize: 16, patch: 4 }
  model: { type: clip, channels: 8, headChannels: 4, layers: 2, embedding: 6, text: { width: 12, layers: 2, heads: 3 } }
  diffusion: { objective: contrastive }`);

/** Weights of a formula, every tensor away from zeros and ones. */
async function weighted() {
  const network = await buildNetwork(job.spec, image);
  const layout = buildLayout(network.params);
  const flat = initialParameters(layout, 5).map((w, k) => w + 0.1 * Math.sin(k));
  const tensors = layout.tensors.map(({ name, shape, offset, size }) => ({
    ...{ name, shape, values: flat.slice(offset, offset + size) },
  }));
  return { network, layout, flat, tensors };
}

const folder = scratch.file("clip");
let tensors: Awaited<ReturnType<typeof weighted>>["tensors"];
beforeAll(async () => {
  await testBackend();
  tensors = (await weighted()).tensors;
  const imageSet = { name: "captions:16", size: 16, digest: "", ...image, classes: [] };
  writeFolder(folder, filesOf("clip", { job, step: 1, weights: "ema", imageSet, tensors }), true);
});

describe("a clip as a folder of Hugging Face's", () => {
  it("comes back as it was, number by number", () => {
    const read = readModelFolder(folder).tensors;
    expect([...read.keys()].sort()).toEqual(tensors.map(({ name }) => name).sort());
    for (const { name, shape, values } of tensors) expect(read.get(name)).toEqual({ name, shape, values });
  });

  it("has no form for another network", () => {
    const { spec } = job;
    const other = { ...job, spec: { ...spec, model: { ...spec.model, type: "prior" as const } } };
    const imageSet = { name: "captions:16", size: 16, digest: "", ...image, classes: [] };
    expect(() => filesOf("clip", { job: other, step: 1, weights: "ema", imageSet, tensors })).toThrow(
      /--format clip has no form of a prior/,
    );
  });

  it("says what CLIPModel says with the same weights", async () => {
    const said = JSON.parse(readFileSync(join(import.meta.dirname, "fixtures/clip-model.json"), "utf8"));
    const { network, layout, flat } = await weighted();
    const params = createDeviceParams(layout);
    params.load(flat);
    const f = inference((name) => params.get(name));
    const { pixels, captions } = await openScenes(16, 16, "train").read([0, 1, 2, 3]);
    const x = tf.tensor4d(normalise(pixels, image, 4), [4, 4, 4, 48]);
    const { images, texts, logScale } = network.towers!;
    const [ofImages, ofTexts] = [images(f, x), texts(f, tf.tensor1d(tokensOf(captions!), "int32"))];
    const { logits } = contrastive(ofImages, ofTexts, logScale(f));
    const ours = [...logits.dataSync()];
    const furthest = Math.max(
      ...said.logits_per_image.flat().map((value: number, k: number) => Math.abs(value - ours[k]!)),
    );
    expect(furthest).toBeLessThan(1e-5);
    expect(Math.max(...ours) - Math.min(...ours)).toBeGreaterThan(1);
  });
});
