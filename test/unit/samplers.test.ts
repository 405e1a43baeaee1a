import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { createProcess, type Process } from "../../shared/diffusion/process.ts";
import { normals, PURPOSE } from "../../shared/rng/stream.ts";
import { ancestralStep } from "../../shared/samplers/ancestral.ts";
import { ddimInversionStep, ddimStep } from "../../shared/samplers/ddim.ts";
import { sample } from "../../shared/samplers/sample.ts";
import type { Denoiser, SamplerStep } from "../../shared/samplers/sampler.ts";
import { testBackend } from "../support/backend.ts";

beforeAll(testBackend);

const N = 20_000;
const [MEAN, STD] = [0.3, 0.2];

/** The optimal denoiser of N(MEAN, STD^2): closed form, so a sampler must give that distribution back. */
function optimal(process: Process): Denoiser {
  return (x, t) => {
    const a = process.sqrtAlphasCumprod[t]!;
    const s2 = 1 - process.alphasCumprod[t]!;
    const gain = (a * STD * STD) / (a * a * STD * STD + s2);
    return { x0: tf.add(tf.mul(tf.sub(x, a * MEAN), gain), MEAN) };
  };
}

async function drawn(step: SamplerStep, eta: number) {
  const process = createProcess({ schedule: "cosine", timesteps: 1000, respacing: [250] });
  const noise = (step: number, shape: number[]) =>
    tf.tensor(normals({ seed: 5, purpose: PURPOSE.sampleStep, step, index: 0 }, N), shape);
  const x = await sample(step, optimal(process), noise(10_000, [N, 1, 1, 1]), {
    process,
    clip: false,
    eta,
    variance: "fixed-small",
    noise,
  });
  const values = x.dataSync() as Float32Array;
  x.dispose();
  const mean = values.reduce((sum, v) => sum + v, 0) / N;
  const std = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / N);
  return { mean, std };
}

describe("with the optimal denoiser of a Gaussian", () => {
  it.each([
    ["ddim", ddimStep, 0],
    ["ddim", ddimStep, 1],
    ["ancestral", ancestralStep, 0],
  ] as const)("%s gives its mean and spread back (%o, eta %d)", async (_name, step, eta) => {
    const { mean, std } = await drawn(step, eta);
    expect(Math.abs(mean - MEAN)).toBeLessThan(0.01);
    expect(Math.abs(std - STD) / STD).toBeLessThan(0.04);
  });

  it("leaves no tensor behind", async () => {
    const before = tf.memory().numTensors;
    await drawn(ddimStep, 0.5);
    expect(tf.memory().numTensors).toBe(before);
  });

  it("DDIM's error falls with the step", async () => {
    // In x / sqrt(alphaBar) and sigma the ODE of a Gaussian has the solution MEAN + z * sqrt(STD^2 + sigma^2).
    const error = async (step: SamplerStep, T: number) => {
      const process = createProcess({ schedule: "linear", timesteps: 1000, respacing: [T] });
      const alphaBar = process.alphasCumprod[T - 1]!;
      const spread = Math.sqrt(STD * STD + (1 - alphaBar) / alphaBar);
      const z = [-1.5, -0.4, 0.6, 2];
      const start = z.map((quantile) => Math.sqrt(alphaBar) * (MEAN + quantile * spread));
      const x_T = tf.tensor(start, [4, 1, 1, 1]);
      const options = { process, clip: false, eta: 0, variance: "fixed-small", noise: () => tf.scalar(NaN) } as const;
      const x = await sample(step, optimal(process), x_T, options);
      const errors = [...x.dataSync()].map((value, i) => Math.abs(value - (MEAN + z[i]! * STD)));
      x.dispose();
      return Math.max(...errors);
    };
    const order = async (step: SamplerStep) => Math.log2((await error(step, 50)) / (await error(step, 200))) / 2;
    expect(await order(ddimStep)).toBeCloseTo(1, 0);
  });

  it("DDIM undoes its own inversion: images to noise and back", async () => {
    const process = createProcess({ schedule: "cosine", timesteps: 1000, respacing: [500] });
    const denoise = optimal(process);
    const values = [-0.3, 0.1, 0.3, 0.9];
    let x: tf.Tensor = tf.tensor(values, [4, 1, 1, 1]);
    for (let t = 0; t < process.T - 1; t++) {
      const next = tf.tidy(() => ddimInversionStep(denoise, x, t, { process, clip: false }).x);
      x.dispose();
      x = next;
    }
    const latent = x.dataSync().slice();
    // Four values of N(MEAN, STD^2) become the same quantiles of N(0, 1).
    latent.forEach((z, i) => {
      expect(Math.abs(z - (values[i]! - MEAN) / STD)).toBeLessThan(0.1);
    });
    for (let t = process.T - 1; t > 0; t--) {
      const next = tf.tidy(
        () =>
          ddimStep(denoise, x, t, {
            process,
            clip: false,
            eta: 0,
            variance: "fixed-small",
            noise: () => tf.scalar(NaN),
          }).x,
      );
      x.dispose();
      x = next;
    }
    x.dataSync().forEach((value, i) => {
      expect(Math.abs(value - values[i]!)).toBeLessThan(0.01);
    });
    x.dispose();
  });

  it("a stop in the middle is passed on and leaves no tensor behind", async () => {
    const process = createProcess({ schedule: "cosine", timesteps: 20 });
    const before = tf.memory().numTensors;
    const stopped = sample(
      ddimStep,
      optimal(process),
      tf.zeros([2, 1, 1, 1]),
      { process, clip: true, eta: 0, variance: "fixed-small", noise: (_step, shape) => tf.zeros(shape) },
      (done) => {
        if (done === 3) throw new Error("stopped after 3");
      },
    );
    await expect(stopped).rejects.toThrow("stopped after 3");
    expect(tf.memory().numTensors).toBe(before);
  });
});
