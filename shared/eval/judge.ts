// The frozen judge, loaded and verified, and what it says about a set of images.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { decodeSafetensors } from "../checkpoint/safetensors.ts";
import { PlumeError } from "../errors.ts";
import { createDeviceParams, inference } from "../pipeline/device-params.ts";
import { asset } from "../root.ts";
import { buildLayout } from "../tensor/layout.ts";
import { type Gaussian, gaussianOf } from "./frechet.ts";
import { buildJudge, JUDGE_CLASSES, JUDGE_FEATURES, JUDGE_SIDE } from "./judge-network.ts";

const FILE = asset("deploy/judge/fashion-mnist.safetensors");
/** Of the committed file: numbers of another judge are not comparable. */
export const JUDGE_SHA256 = "3f2bde2b48ea885f02edfa50904f4beda35ceccde193d63042d5d23fb8773bdf";

interface Verdict {
  /** Share of images whose label the judge gives them. */
  readonly accuracy: number;
  readonly features: Gaussian;
}

export interface Judge {
  /** @param pixels uint8 [n, 28, 28, 1]. @param labels int32 [n]. */
  judge(pixels: Uint8Array, labels: ArrayLike<number>): Verdict;
  dispose(): void;
}

/** The backend must be open. @throws PlumeError DATA_LOSS when the file is not the recorded one. */
export function openJudge(): Judge {
  const bytes = readFileSync(FILE);
  const digest = createHash("sha256").update(bytes).digest("hex");
  if (digest !== JUDGE_SHA256)
    throw new PlumeError("DATA_LOSS", `the judge's weights have sha256 ${digest}, recorded is ${JUDGE_SHA256}`, {
      remedy: "restore deploy/judge",
    });
  const network = buildJudge();
  const layout = buildLayout(network.params);
  const flat = new Float32Array(layout.size);
  const tensors = decodeSafetensors(bytes, "the judge");
  for (const { name, offset } of layout.tensors) flat.set(tensors.get(name)!.values, offset);
  const params = createDeviceParams(layout);
  params.load(flat);
  const f = inference(params);
  return {
    judge(pixels, labels) {
      const n = labels.length;
      const size = JUDGE_SIDE * JUDGE_SIDE;
      const features = new Float32Array(n * JUDGE_FEATURES);
      let right = 0;
      for (let from = 0; from < n; from += 250) {
        const count = Math.min(250, n - from);
        const batch = Float32Array.from(pixels.subarray(from * size, (from + count) * size), (v) => v / 127.5 - 1);
        tf.tidy(() => {
          const said = network.forward(f, tf.tensor4d(batch, [count, JUDGE_SIDE, JUDGE_SIDE, 1]));
          features.set(said.features.dataSync() as Float32Array, from * JUDGE_FEATURES);
          const logits = said.logits.dataSync();
          for (let i = 0; i < count; i++)
            if (bestOf(logits.subarray(i * JUDGE_CLASSES, (i + 1) * JUDGE_CLASSES)) === labels[from + i]) right++;
        });
      }
      return { accuracy: right / n, features: gaussianOf({ values: features, d: JUDGE_FEATURES }) };
    },
    dispose: () => params.dispose(),
  };
}

const bestOf = (scores: ArrayLike<number>): number => {
  let best = 0;
  for (let k = 1; k < scores.length; k++) if (scores[k]! > scores[best]!) best = k;
  return best;
};
