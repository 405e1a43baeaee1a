// A network as a chain's step back.

import type * as tf from "@tensorflow/tfjs-core";
import type { Chain } from "../diffusion/nonequilibrium/chain.ts";
import { timesOf } from "../diffusion/processes/index.ts";
import type { Computation, Program } from "../nn/program.ts";
import type { ReverseKernel } from "../samplers/sampler.ts";
import type { DenoiserOptions } from "./denoiser.ts";

type Shape4 = [number, number, number, number];

/** @returns kernels under labels, int32 [B], or none; those of one shape share their computation. */
export function createKernel({ spec, network, params, program }: DenoiserOptions) {
  const { label } = timesOf(spec.diffusion);
  const names = network.params.map(({ name }) => name);
  let asked: { readonly x: tf.Tensor; readonly label: number; readonly labels: Int32Array | null };

  const computation =
    (shape: Shape4, labelled: boolean): Computation =>
    (feed, tensors) => {
      const [B] = shape;
      const byName = new Map(names.map((name, i) => [name, tensors[i]!]));
      const forward = { param: (name: string) => byName.get(name)!, dropout: <U extends tf.Tensor>(u: U) => u };
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
      asked = { x, label: label(t), labels };
      return chain.reverse(x, t, programs.get(key)!.run(params.tensors)[0]!);
    };
}
