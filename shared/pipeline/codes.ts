// The way between images and the z that a network which knows a density makes them of, in one evaluation: what a sampler's way is to a
// process (draw.ts). z stands in a tensor of the images' shape, zeros behind it.

import * as tf from "@tensorflow/tfjs-core";
import { PlumeError } from "../errors.ts";
import type { Density } from "../nn/network.ts";
import type { Computation, Program } from "../nn/program.ts";
import { CLEAN } from "../samplers/known.ts";
import type { DenoiserOptions } from "./denoiser.ts";
import { inference, named } from "./device-params.ts";
import type { Way } from "./draw.ts";

type Shape4 = [number, number, number, number];

/** Ways under labels, int32 [B], or none. @throws PlumeError FAILED_PRECONDITION where z is larger than an image. */
export function createCodes({ network, params, program }: DenoiserOptions, density: Density) {
  const { latent } = density;
  let asked: { readonly x: tf.Tensor; readonly labels: Int32Array | null };

  const computation =
    (shape: Shape4, labelled: boolean, direction: "encode" | "decode"): Computation =>
    (feed, tensors) => {
      const [B, size] = [shape[0], shape[1] * shape[2] * shape[3]];
      if (latent > size)
        throw new PlumeError("FAILED_PRECONDITION", `the model codes images of ${size} values by ${latent}`, {
          remedy: "edit by a model whose codes are no larger than its images: lower autoencoder.latentChannels",
        });
      const f = inference(named(network.params, tensors));
      const x = feed(shape, "float32", () => asked.x) as tf.Tensor4D;
      const y = labelled ? (feed([B], "int32", () => asked.labels!) as tf.Tensor1D) : null;
      if (direction === "decode")
        return [density.generate(f, tf.slice(tf.reshape(x, [B, size]), [0, 0], [B, latent]) as tf.Tensor2D, y)];
      const z = density.encode(f, x, y);
      const whole = latent < size ? tf.concat([z, tf.zeros([B, size - latent])], 1) : z;
      return [tf.reshape(whole, shape)];
    };

  const programs = new Map<string, Program>();
  return (labels: Int32Array | null): Way => {
    const go = async (x: tf.Tensor, direction: "encode" | "decode"): Promise<tf.Tensor> => {
      const key = `${direction} ${x.shape} ${labels !== null}`;
      if (!programs.has(key)) programs.set(key, program(computation(x.shape as Shape4, labels !== null, direction)));
      asked = { x, labels };
      const [made] = programs.get(key)!.run(params.tensors);
      x.dispose();
      return made!;
    };
    return {
      steps: 1,
      prior: 1,
      level: (position) => (position === 1 ? CLEAN : { alpha: 0, sigma: 1 }),
      walk: (x) => go(x, "decode"),
      encode: (x) => go(x, "encode"),
    };
  };
}
