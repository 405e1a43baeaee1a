// What models that know a density are made of: the likelihood of bytes, and maps that are undone.

import * as tf from "@tensorflow/tfjs-core";
import { buildFlow } from "../../../shared/models/flow.ts";
import { squeeze } from "../../../shared/models/flow-steps.ts";
import { discretizedLogistic, discretizedLogitLaplace } from "../../../shared/nn/log-likelihood.ts";
import { type BackendCase, random } from "./case.ts";
import { at, build, sigmoid } from "./reference.ts";

/** Black, white, and between. */
const BYTES = [0, 255, 3, 128, 0, 254, 90, 255];
const levelOf = (byte: number): number => byte / 127.5 - 1;

function mass(x: number, mean: number, scale: number): number {
  const upTo = (edge: number) => sigmoid((edge - mean) / scale);
  if (x < -0.999) return upTo(x + 1 / 255);
  return (x > 0.999 ? 1 : upTo(x + 1 / 255)) - upTo(x - 1 / 255);
}

/** Of a Laplace distribution of what phi of Ramesh et al. 2021 makes of bytes. */
function laplaceMass(byte: number, mu: number, b: number): number {
  const upTo = (edge: number) => {
    const p = ((1 - 0.2) * edge) / 255 + 0.1;
    const z = (Math.log(p / (1 - p)) - mu) / b;
    return z < 0 ? Math.exp(z) / 2 : 1 - Math.exp(-z) / 2;
  };
  return (byte === 255 ? 1 : upTo(byte + 0.5)) - (byte === 0 ? 0 : upTo(byte - 0.5));
}

const flow = buildFlow({ height: 2, width: 2, channels: 3, hidden: [4], steps: 1, classes: 0 });
const fixed = (shape: readonly number[], k: number): tf.Tensor =>
  tf.mul(tf.sin(tf.reshape(tf.range(k, k + shape.reduce((product, n) => product * n, 1)), [...shape])), 0.2);
const params = new Map(flow.params.map(({ name, shape }, k) => [name, { shape, k }]));
const f = {
  param: (name: string) => fixed(params.get(name)!.shape, params.get(name)!.k),
  dropout: <X extends tf.Tensor>(x: X) => x,
};

export const densities: readonly BackendCase[] = [
  {
    title: "a discretized logistic's log likelihood of bytes",
    op: (mean, logScale) => discretizedLogistic(tf.tensor2d(BYTES.map(levelOf), [2, 4]), mean!, logScale!),
    reference: (mean, logScale) =>
      build([2, 4], ([i, j]) => {
        const index = [i!, j!];
        return Math.log(mass(levelOf(BYTES[4 * i! + j!]!), at(mean!, index), Math.exp(at(logScale!, index))));
      }),
    inputs: () => [random(2, 4), random(2, 4)],
  },
  {
    title: "a discretized logit-Laplace's log likelihood of bytes",
    op: (mu, logB) => discretizedLogitLaplace(tf.tensor2d(BYTES.map(levelOf), [2, 4]), mu!, logB!),
    reference: (mu, logB) =>
      build([2, 4], ([i, j]) =>
        Math.log(laplaceMass(BYTES[4 * i! + j!]!, at(mu!, [i!, j!]), Math.exp(at(logB!, [i!, j!])))),
      ),
    inputs: () => [random(2, 4), random(2, 4)],
  },
  {
    title: "blocks of pixels as channels",
    op: (x) => squeeze(x as tf.Tensor4D),
    reference: (x) =>
      build([2, 2, 3, 12], ([b, i, j, c]) =>
        at(x!, [b!, 2 * i! + Math.floor(c! / 6), 2 * j! + (Math.floor(c! / 3) % 2), c! % 3]),
      ),
    inputs: () => [random(2, 4, 6, 3)],
  },
  {
    title: "a flow, undone by its inverse",
    op: (x) => flow.decode(f, flow.encode(f, x as tf.Tensor4D, null).z, null),
    reference: (x) => x!,
    inputs: () => [random(2, 2, 2, 3)],
  },
];
