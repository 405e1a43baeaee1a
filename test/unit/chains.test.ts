import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../shared/backends/backend.ts";
import { logOdds, speaking } from "../../shared/diffusion/nonequilibrium/binomial.ts";
import { binomialChain } from "../../shared/diffusion/nonequilibrium/binomial-chain.ts";
import type { Chain, Random } from "../../shared/diffusion/nonequilibrium/chain.ts";
import { gaussianChain } from "../../shared/diffusion/nonequilibrium/gaussian-chain.ts";
import { CHAINS } from "../../shared/diffusion/nonequilibrium/index.ts";
import type { LookUp, Steps } from "../../shared/diffusion/prediction.ts";
import { chainKind, timesOf } from "../../shared/diffusion/processes/index.ts";
import { boundOfTrajectory } from "../../shared/eval/trajectory.ts";
import { buildMlp } from "../../shared/models/mlp.ts";
import { initialParameters } from "../../shared/nn/init.ts";
import { trajectoryBound } from "../../shared/objectives/trajectory-bound.ts";
import { integers, normals, PURPOSE, uniforms } from "../../shared/rng/stream.ts";
import { reverseKernel } from "../../shared/samplers/reverse-kernel.ts";
import type { ReverseKernel } from "../../shared/samplers/sampler.ts";
import { drive } from "../../shared/samplers/walk.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";
import { testBackend } from "../support/backend.ts";

let backend: Backend;
beforeAll(async () => {
  backend = await testBackend();
});

const key = (step: number) => ({ seed: 6, purpose: PURPOSE.canary, step, index: 0 });
const randomOf =
  (shape: number[]) =>
  (step: number): Random => {
    const n = shape.reduce((a, b) => a * b);
    return {
      normals: () => tf.tensor(normals(key(step), n), shape),
      uniforms: () => tf.tensor(Float32Array.from(uniforms(key(step), n)), shape),
    };
  };
const OPTIONS = { timesteps: 40, sigmaData: 0.5 };
const MADE: readonly (readonly [string, (options: typeof OPTIONS) => Chain, outputs: number])[] = [
  ["nonequilibrium", gaussianChain, CHAINS.nonequilibrium.outputs],
  ["binomial", binomialChain, CHAINS.binomial.outputs],
];

/** A network that says nothing. */
const silent =
  (chain: Chain, outputs: number): ReverseKernel =>
  (x, t) =>
    chain.reverse(x, t, tf.zeros([...x.shape.slice(0, 3), outputs * x.shape[3]!]));

const walk = (
  chain: Chain,
  kernel: ReverseKernel,
  shape: number[],
  seen?: Parameters<typeof reverseKernel>[3]["seen"],
) => {
  const random = randomOf(shape);
  const x_T = chain.prior(random(0));
  return drive(reverseKernel(kernel, x_T, chain, { random, seen }), x_T, chain.T - 1);
};

describe.each(MADE)("the chain %s", (name, make, outputs) => {
  const chain = make(OPTIONS);
  const SHAPE = [4, 1, 5, 1];

  it("draws every step but the first, and tells the network another number at each", () => {
    const diffusion = { ...OPTIONS, schedule: "cosine", betaMin: 0.1, betaMax: 20, pMean: 0, pStd: 1 };
    const times = timesOf({ ...diffusion, process: name as "binomial" });
    const draws = {
      uniforms: (n: number) => uniforms(key(9), n),
      normals: () => [] as never,
      integers: () => [] as never,
    };
    const drawn = new Set(Array.from(times.draw(draws, 2000)));
    expect([...drawn].sort((a, b) => a - b)).toEqual(Array.from({ length: 39 }, (_, i) => i + 1));
    const labels = [...drawn].map(times.label);
    expect(new Set(labels).size).toBe(39);
    expect(chainKind(name as "binomial")!.outputs).toBe(outputs);
  });

  it("makes images of what it made of images", () => {
    const images = tf.tensor4d([-1, 1, 1, -1, -1], [1, 1, 5, 1]);
    expect([...chain.images(chain.data(images)).dataSync()]).toEqual([-1, 1, 1, -1, -1]);
  });

  it("has a loss whose recorded computation, with steps not known yet, gives the bits that it gives at once", () => {
    const images = randomOf(SHAPE)(1).normals();
    const output = randomOf([4, 1, 5, outputs])(2).normals();
    const lossAndGradient = (t: Steps, clean: tf.Tensor, y: tf.Tensor, random: Random): tf.Tensor[] => {
      const x0 = chain.data(clean);
      const x_t = chain.noised(x0, t, random);
      const of = (out: tf.Tensor) => trajectoryBound(chain, x0, chain.reverse(x_t, t, out)).loss;
      return [of(y), tf.grad((out) => tf.sum(of(out)))(y)];
    };
    let steps: number[] = [];
    const [clean, noise, u] = [images, randomOf(SHAPE)(3).normals(), randomOf(SHAPE)(3).uniforms()].map(
      (tensor) => tensor.dataSync() as Float32Array,
    );
    const program = backend.program((feed, [y]) => {
      const t: LookUp = (value) => feed([4, 1, 1, 1], "float32", () => Float32Array.from(steps, value));
      const random = {
        normals: () => feed(SHAPE, "float32", () => noise!),
        uniforms: () => feed(SHAPE, "float32", () => u!),
      };
      return lossAndGradient(
        t,
        feed(SHAPE, "float32", () => clean!),
        y!,
        random,
      );
    });
    for (steps of [
      [1, 20, 39, 5],
      [7, 1, 2, 38],
    ]) {
      const recorded = program.run([output]).map((result) => [...result.dataSync()]);
      const eager = lossAndGradient(steps, images, output, randomOf(SHAPE)(3)).map((result) => [...result.dataSync()]);
      expect(recorded).toEqual(eager);
      for (const value of recorded.flat()) expect(Number.isFinite(value)).toBe(true);
    }
  });

  it("needs of a silent network what the prior needs, for data that is the prior's", async () => {
    const shape = [2000, 1, 1, 1];
    const random = randomOf(shape);
    // Of no step; and images whose x_0 it is.
    const images = chain.images(chain.prior(random(100)));
    const { bits, prior } = await boundOfTrajectory(silent(chain, outputs), chain, images, {
      dequantise: random(101),
      random,
    });
    const mean = bits.reduce((sum, each) => sum + each, 0) / bits.length;
    expect(mean).toBeCloseTo(prior, 1);
    expect(prior).toBeCloseTo(
      name === "binomial" ? 1 : Math.log2((255 / 2) * 0.5 * Math.sqrt(2 * Math.PI * Math.E)),
      9,
    );
  });

  it("keeps what is known, and draws the rest as it would", async () => {
    const shape = [1, 1, 400, 1];
    const images = tf.fill(shape, 1);
    const known = tf.tensor4d(
      Array.from({ length: 400 }, (_, i) => i % 2),
      [1, 1, 400, 1],
    );
    const x = await walk(chain, silent(chain, outputs), shape, { images, known });
    const drawn = [...chain.images(x).dataSync()];
    const free = drawn.filter((_, i) => i % 2 === 0);
    expect(drawn.every((value, i) => i % 2 === 0 || value === 1)).toBe(true);
    expect(Math.abs(free.reduce((sum, value) => sum + value, 0) / 200)).toBeLessThan(0.2);
  });

  it("follows what was seen as far as it is told to trust it", async () => {
    const shape = [1, 1, 400, 1];
    const images = tf.fill(shape, 1);
    const meanOf = async (noise: number) => {
      const x = await walk(chain, silent(chain, outputs), shape, { images, noise });
      return tf.mean(chain.images(x)).dataSync()[0]!;
    };
    const [blind, doubtful, sure] = name === "binomial" ? [0.5, 0.4, 0.001] : [1e4, 1, 0.001];
    expect(Math.abs(await meanOf(blind))).toBeLessThan(0.2);
    expect(await meanOf(doubtful)).toBeGreaterThan(0.2);
    expect(await meanOf(doubtful)).toBeLessThan(0.9);
    expect(await meanOf(sure)).toBeGreaterThan(0.95);
  });
});

describe("the binomial chain", () => {
  const T = 2000;
  const chain = binomialChain({ ...OPTIONS, timesteps: T });

  it("draws the sequence that its network knows of, but for the flips of the first step", async () => {
    const shape = [40, 1, 20, 1];
    const x0 = tf.tensor(Float32Array.from(integers(key(7), 800, 2)), shape);
    const x = await walk(chain, (x_t, t) => chain.reverse(x_t, t, speaking(x0, 50)), shape);
    const wrong = tf.sum(tf.abs(tf.sub(x, x0))).dataSync()[0]!;
    expect(wrong).toBeLessThan(4); // 800 bits, each flipped once in 4000
  });

  it("has a divergence to the last digits where a step hardly ever flips a bit", () => {
    const x = tf.tensor4d([1, 0], [2, 1, 1, 1]);
    const told = 2;
    const kl = chain
      .reverse(x, 1, tf.fill([2, 1, 1, 1], told))
      .divergence(x)
      .dataSync();
    const [kept, before] = [logOdds(1 - 1 / (T - 1)), logOdds(1 - 1 / T)];
    const of = Math.log((Math.exp(told + before) + 1) / (Math.exp(told) + Math.exp(before)));
    // In float64, of the value that x_0 is not.
    const expected = [-of, of].map((coeff) => {
      const [q, p] = [-before - kept, coeff - kept];
      const [a, b] = [q, p].map((logit) => 1 / (1 + Math.exp(-logit))) as [number, number];
      return a * Math.log(a / b) + (1 - a) * (Math.log1p(-a) - Math.log1p(-b));
    });
    expected.forEach((value, i) => expect(kl[i]! / value).toBeCloseTo(1, 3));
  });
});

describe("the perceptron", () => {
  const config = {
    ...{ height: 1, width: 3, channels: 2, units: 8, layers: 2, outputs: 2, bases: 4, dropout: 0, classRows: 3 },
    time: { from: 2, to: -1 },
  };
  const network = buildMlp(config);
  const layout = buildLayout(network.params);
  const outputOf = (flat: Float32Array, t: number[], y: number[]) => {
    const values = new Map(
      layout.tensors.map(({ name, offset, size, shape }) => [
        name,
        tf.tensor(flat.slice(offset, offset + size), [...shape]),
      ]),
    );
    const f = { param: (name: string) => values.get(name)!, dropout: <U extends tf.Tensor>(u: U) => u };
    const x = tf.ones([t.length, 1, 3, 2]) as tf.Tensor4D;
    const out = network.forward(f, { x, t: tf.tensor1d(t), y: tf.tensor1d(y, "int32") });
    expect(out.shape).toEqual([t.length, 1, 3, 4]);
    return out.arraySync().map((each) => each.flat(2));
  };
  const fresh = initialParameters(layout, 0);
  const shaken = fresh.map((w, k) => w + 0.3 * Math.sin(k));

  it("gives 0 as long as it is fresh", () => {
    expect(
      outputOf(fresh, [0, 1], [0, 2])
        .flat()
        .every((value) => value === 0),
    ).toBe(true);
  });

  it("depends on its time and on its label, and is the same again", () => {
    const [a, b, c, d] = outputOf(shaken, [2, -1, 2, 2], [0, 0, 1, 0]);
    expect(a).not.toEqual(b);
    expect(a).not.toEqual(c);
    expect(a).toEqual(d);
  });
});
