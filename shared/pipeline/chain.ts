// Images of a chain: its network as its step back, walked from x_T to x_0.

import * as tf from "@tensorflow/tfjs-core";
import type { Chain, Random, Seen } from "../diffusion/nonequilibrium/chain.ts";
import { loadChain, timesOf } from "../diffusion/processes/index.ts";
import type { Computation, Program } from "../nn/program.ts";
import type { ChainWalk, ReverseKernel } from "../samplers/sampler.ts";
import { drive } from "../samplers/walk.ts";
import type { DenoiserOptions } from "./denoiser.ts";
import { inference, named } from "./device-params.ts";

type Shape4 = [number, number, number, number];

/** @returns kernels under labels, int32 [B], or none; those of one shape share their computation. */
export function createKernels({ spec, network, params, program }: DenoiserOptions) {
  const { label } = timesOf(spec.diffusion);
  let asked: { readonly x: tf.Tensor; readonly label: number; readonly labels: Int32Array | null };

  const computation =
    (shape: Shape4, labelled: boolean): Computation =>
    (feed, tensors) => {
      const [B] = shape;
      const forward = inference(named(network.params, tensors));
      const x = feed(shape, "float32", () => asked.x) as tf.Tensor4D;
      const t = feed([B], "float32", () => new Float32Array(B).fill(asked.label)) as tf.Tensor1D;
      const y = labelled ? (feed([B], "int32", () => asked.labels!) as tf.Tensor1D) : null;
      return [network.forward(forward, { x, t, y })];
    };

  const programs = new Map<string, Program>();
  return (chain: Chain, labels: Int32Array | null): ReverseKernel =>
    (x, t) => {
      const key = `${x.shape} ${labels !== null}`;
      if (!programs.has(key)) programs.set(key, program(computation(x.shape as Shape4, labels !== null)));
      asked = { x: chain.seen(x), label: label(t), labels };
      return chain.reverse(x, t, programs.get(key)!.run(params.tensors)[0]!);
    };
}

interface ChainDrawing {
  readonly labels: Int32Array | null;
  /** Of x_T. */
  readonly start: Random;
  /** Of each step. */
  readonly random: (step: number) => Random;
  /** What is known of the images beforehand. */
  readonly seen?: Seen | undefined;
  readonly onStep?: ((done: number, total: number) => Promise<void> | void) | undefined;
}

/** @returns images in [-1, 1], float32 [B, H, W, C], the caller's to dispose. */
export function createChainDrawing(options: DenoiserOptions) {
  const kernels = createKernels(options);
  return async (walk: ChainWalk, { labels, start, random, seen, onStep }: ChainDrawing): Promise<tf.Tensor> => {
    const chain = await loadChain(options.spec.diffusion);
    const x_T = tf.tidy(() => chain.prior(start));
    const x = await drive(walk(kernels(chain, labels), x_T, chain, { random, seen }), x_T, chain.T - 1, onStep);
    const images = tf.tidy(() => chain.images(x));
    x.dispose();
    return images;
  };
}
