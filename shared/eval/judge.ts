// The frozen judges, loaded and verified, and what they say about images.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { decodeSafetensors } from "../checkpoint/safetensors.ts";
import { PlumeError } from "../errors.ts";
import { createDeviceParams, inference } from "../pipeline/device-params.ts";
import { asset } from "../root.ts";
import { packed } from "../tensor/flat.ts";
import { buildLayout } from "../tensor/layout.ts";
import { JUDGE_CLASSES, JUDGE_FEATURES, JUDGE_SIDE, JUDGES, type JudgeName } from "./judge-network.ts";
import type { Rows } from "./rows.ts";

/** Images computed together. */
const BATCH = 250;

interface Judge {
  /** @param pixels uint8 [n, 28, 28, 1]. @returns what it says of each: float32 [n, width]. */
  judge(pixels: Uint8Array): Rows & { readonly values: Float32Array };
  dispose(): void;
}

/** The backend must be open. @throws PlumeError DATA_LOSS when the file is not the recorded one. */
function openJudge(name: JudgeName, said: "features" | "logits", d: number): Judge {
  const { file, sha256, build } = JUDGES[name];
  const bytes = readFileSync(asset(file));
  const digest = createHash("sha256").update(bytes).digest("hex");
  if (digest !== sha256)
    throw new PlumeError("DATA_LOSS", `${file} has sha256 ${digest}, recorded is ${sha256}`, {
      remedy: "restore deploy/judge",
    });
  const network = build();
  const layout = buildLayout(network.params);
  const tensors = decodeSafetensors(bytes, file);
  const params = createDeviceParams(layout);
  params.load(packed(layout, (tensor) => tensors.get(tensor)!.values));
  const f = inference(params.get);
  return {
    judge(pixels) {
      const size = JUDGE_SIDE * JUDGE_SIDE;
      const n = pixels.length / size;
      const values = new Float32Array(n * d);
      for (let from = 0; from < n; from += BATCH) {
        const count = Math.min(BATCH, n - from);
        const batch = new Float32Array(pixels.subarray(from * size, (from + count) * size)).map((v) => v / 127.5 - 1);
        tf.tidy(() => {
          const judged = network.forward(f, tf.tensor4d(batch, [count, JUDGE_SIDE, JUDGE_SIDE, 1]));
          values.set(judged[said].dataSync() as Float32Array, from * d);
        });
      }
      return { values, d };
    },
    dispose: () => params.dispose(),
  };
}

export interface Judges {
  /** @param pixels uint8 [n, 28, 28, 1]. */
  judge(pixels: Uint8Array): {
    readonly features: Rows;
    /** The class that each image shows: int32 [n]. */
    readonly classes: Int32Array;
  };
  dispose(): void;
}

/** Both of them; the backend must be open. @throws PlumeError DATA_LOSS when a file is not the recorded one. */
export function openJudges(): Judges {
  const features = openJudge("features", "features", JUDGE_FEATURES);
  const labels = openJudge("labels", "logits", JUDGE_CLASSES);
  return {
    judge(pixels) {
      const { values, d } = labels.judge(pixels);
      const best = (i: number) => bestOf(values.subarray(i * d, (i + 1) * d));
      return {
        features: features.judge(pixels),
        classes: Int32Array.from({ length: values.length / d }, (_, i) => best(i)),
      };
    },
    dispose() {
      features.dispose();
      labels.dispose();
    },
  };
}

const bestOf = (scores: ArrayLike<number>): number => {
  let best = 0;
  for (let k = 1; k < scores.length; k++) if (scores[k]! > scores[best]!) best = k;
  return best;
};
