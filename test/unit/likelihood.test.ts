import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../shared/backends/backend.ts";
import { parseJob } from "../../shared/config/load.ts";
import { openShapes } from "../../shared/data/sources/shapes.ts";
import { histogramBits } from "../../shared/eval/baseline-bits.ts";
import { createBits } from "../../shared/eval/model-bits.ts";
import { initialParameters } from "../../shared/nn/init.ts";
import { createDenoisers } from "../../shared/pipeline/denoiser.ts";
import { createDeviceParams } from "../../shared/pipeline/device-params.ts";
import { buildNetwork } from "../../shared/pipeline/network.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";
import { testBackend } from "../support/backend.ts";
import { noise } from "../support/forward.ts";

let backend: Backend;
beforeAll(async () => {
  backend = await testBackend();
});

const image = { height: 8, width: 8, channels: 1 };

/** A network that is not at rest: a fresh one gives 0. */
async function lively(diffusion: string, source = "shapes:64", condition = "classes: 10") {
  const { spec } = parseJob(`
metadata: { name: tiny }
spec:
  data: { source: "${source}", imageSize: 8, patch: 2 }
  model: { channels: 8, channelMult: [1, 2], groups: 4, ${condition} }
  diffusion: { ${diffusion} }
  sampling: { sampler: heun, steps: 10 }`);
  const network = await buildNetwork(spec, image);
  const layout = buildLayout(network.params);
  const shaken = noise(7, layout.size);
  const params = createDeviceParams(layout);
  params.load(initialParameters(layout, 3).map((value, i) => value + 0.05 * shaken[i]!));
  return { spec, network, params, program: backend.program };
}

const numbers = (seed: number) => tf.tensor4d(noise(seed, 2 * 4 * 4 * 4), [2, 4, 4, 4]);

describe("the slope of a network's score", () => {
  it.each([
    ["vp", "v", 0.4],
    ["ve", "v", 0.4],
    ["edm", "edm", 0.7],
  ])("is that of its differences along epsilon, and the score the one of sampling: %s", async (process, predict, t) => {
    const model = await lively(`process: ${process}, predict: ${predict}`);
    const denoisers = createDenoisers(model)({ labels: Int32Array.of(1, 2), guidance: 1 });
    const [x, epsilon] = [numbers(1), numbers(2)];
    const h = 1e-2;
    const near = (side: number) => tf.add(x, tf.mul(epsilon, side * h));
    const { score, slope } = tf.tidy(() => denoisers.byTimeWithSlope(epsilon)(x, t));
    const plain = tf.tidy(() => denoisers.byTime()(x, t));
    expect([...score.dataSync()]).toEqual([...plain.dataSync()]);
    const [exact, measured] = tf.tidy(() => {
      const along = (y: tf.Tensor) => tf.sum(tf.mul(y, epsilon)).dataSync()[0]!;
      const ends = [1, -1].map((side) => along(denoisers.byTime()(near(side), t)));
      return [along(slope), (ends[0]! - ends[1]!) / (2 * h)];
    });
    // epsilon^T J^T epsilon is epsilon^T J epsilon.
    expect(Math.abs(exact! - measured!)).toBeLessThan(2e-2 * Math.max(1, Math.abs(measured!)));
  });
});

describe("bits a dimension", () => {
  const read = async (ids: number[]) => ({ ids, ...(await openShapes(64, 8).read(ids)) });

  it("by the bound depend on the image, its noise and the weights alone, not on who is computed with it", async () => {
    const model = await lively("predict: v, timesteps: 20");
    const { kind, measure } = createBits({ ...model, image, seed: 0 });
    expect(kind).toBe("bound");
    const together = await measure(await read([3, 4, 5]), () => {});
    const alone = await measure(await read([4]), () => {});
    expect(together[1]).toBe(alone[0]);
    expect(Math.min(...together)).toBeGreaterThan(0);
    const other = createBits({ ...model, image, seed: 1 });
    expect((await other.measure(await read([4]), () => {}))[0]).not.toBe(alone[0]);
  });

  it("by the flow are those of the prior where the score is that of a standard Gaussian", async () => {
    // A fresh network predicts v = 0: the score of x_t is -x_t, that of N(0, I) at every time, and the flow of VP stands still.
    const model = await lively("process: vp, predict: v");
    model.params.load(new Float32Array(buildLayout(model.network.params).size));
    const { kind, measure } = createBits({ ...model, image, seed: 0 });
    expect(kind).toBe("estimate");
    const batch = await read([0, 1]);
    const bits = await measure({ ...batch, pixels: batch.pixels.fill(128) }, () => {});
    // x in [0, 1 / 128): log N(0, 1) is -ln(2 pi) / 2 to 1e-4, and a byte is 1 / 128 wide.
    const expected = (Math.log(128) + Math.log(2 * Math.PI) / 2) / Math.LN2;
    for (const value of bits) expect(Math.abs(value - expected)).toBeLessThan(2e-3);
  });

  it("by the flow of EDM are those of a Gaussian where the denoiser is that of one, with the noise it is left with", async () => {
    // A fresh network gives F = 0: D = c_skip x, which is right for N(0, sigmaData^2 I).
    const model = await lively("process: edm, predict: edm, sigmaData: 0.4, sigmaMin: 0.3, sigmaMax: 60");
    model.params.load(new Float32Array(buildLayout(model.network.params).size));
    const { kind, measure } = createBits({ ...model, image, seed: 0 });
    expect(kind).toBe("estimate");
    const batch = await read([0, 1]);
    const bits = await measure({ ...batch, pixels: batch.pixels.fill(128) }, () => {});
    // x in [0, 1 / 128), of variance 0.4^2 + 0.3^2.
    const expected = (Math.log(128) + Math.log(2 * Math.PI) / 2 + Math.log(0.5)) / Math.LN2;
    for (const value of bits) expect(Math.abs(value - expected)).toBeLessThan(2e-3);
  });

  it.each(["consistency, objective: consistency", "edm, objective: progressive"])(
    "are not of a model that predicts %s: it has no score",
    async (predict) => {
      const model = await lively("process: edm, predict: edm");
      const [name, objective] = predict.split(", objective: ");
      const spec = { ...model.spec, diffusion: { ...model.spec.diffusion, predict: name, objective } };
      expect(() => createBits({ ...model, spec: spec as typeof model.spec, image, seed: 0 })).toThrow(
        expect.objectContaining({
          code: "FAILED_PRECONDITION",
          message: expect.stringContaining(`the objective ${objective}`),
        }),
      );
    },
  );

  it("are those of each image under its own caption", async () => {
    const captioned = ["captions:64", "attention: [2], text: { width: 8, layers: 1 }"] as const;
    const model = await lively("predict: v, timesteps: 20", ...captioned);
    const { measure } = createBits({ ...model, image, seed: 0 });
    const batch = await read([3, 4]);
    const captions = ["red square", "large blue circle"];
    const own = await measure({ ...batch, captions }, () => {});
    const others = await measure({ ...batch, captions: ["red square", "small white cross"] }, () => {});
    expect(others[0]).toBe(own[0]);
    expect(others[1]).not.toBe(own[1]);
  });

  it("are not of Imagen's process: its score is known, and no flow in its time", async () => {
    const model = await lively("process: imagen, predict: v");
    expect(() => createBits({ ...model, image, seed: 0 })).toThrow(
      expect.objectContaining({
        code: "FAILED_PRECONDITION",
        message: expect.stringContaining("a model of imagen has neither"),
        remedy: expect.stringContaining("measure a model of ddpm, vp"),
      }),
    );
  });

  it("stop between two steps when they are told to", async () => {
    const { measure } = createBits({ ...(await lively("predict: v, timesteps: 20")), image, seed: 0 });
    const before = tf.memory().numTensors;
    const stop = (done: number) => {
      if (done === 3) throw new Error("stopped");
    };
    await expect(measure(await read([0]), stop)).rejects.toThrow("stopped");
    expect(tf.memory().numTensors).toBe(before);
  });

  it("of each pixel by itself are those of counted values", () => {
    // Two pixels: one that was 7 in all of 44 images, one that was 0 and 255 in 22 each.
    const train = Uint8Array.from({ length: 88 }, (_, k) => (k % 2 === 0 ? 7 : k % 4 === 1 ? 0 : 255));
    const bits = histogramBits(train, Uint8Array.of(7, 0, 7, 255), 2);
    expect(bits).toBeCloseTo((-Math.log2(45 / 300) - Math.log2(23 / 300)) / 2, 12);
  });
});
