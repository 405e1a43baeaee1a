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
import { JUDGE_SIDE, JUDGES, type JudgeName, type JudgeNetwork } from "./judge-network.ts";
import type { Rows } from "./rows.ts";

/** Images computed together. */
const BATCH = 250;
const SIZE = JUDGE_SIDE * JUDGE_SIDE;

/** Images as a judge sees them: float32 [n, 28, 28, 1] in [-1, 1]. @param pixels uint8. */
export function judgeInput(pixels: Uint8Array): tf.Tensor4D {
  const values = Float32Array.from(pixels, (v) => v / 127.5 - 1);
  return tf.tensor4d(values, [pixels.length / SIZE, JUDGE_SIDE, JUDGE_SIDE, 1]);
}

interface Judge {
  /** @param pixels uint8 [n, 28, 28, 1]. @returns what it sees of each: float32 [n, width]. */
  features(pixels: Uint8Array): Rows;
  /** @param pixels uint8 [n, 28, 28, 1]. @returns the class that each shows: int32 [n]. */
  classes(pixels: Uint8Array): Int32Array;
  dispose(): void;
}

/** The backend must be open. @param flat its weights: float32 [layout.size]. */
export function openNetworkJudge(network: JudgeNetwork, flat: Float32Array): Judge {
  const params = createDeviceParams(buildLayout(network.params));
  params.load(flat);
  const f = inference(params.get);
  const judged = (pixels: Uint8Array, said: "features" | "logits"): Rows => {
    const n = pixels.length / SIZE;
    let [values, d] = [new Float32Array(), 0];
    for (let from = 0; from < n; from += BATCH)
      tf.tidy(() => {
        const answer = network.forward(f, judgeInput(pixels.subarray(from * SIZE, (from + BATCH) * SIZE)))[said];
        if (from === 0) [values, d] = [new Float32Array(n * answer.shape[1]), answer.shape[1]];
        values.set(answer.dataSync<"float32">(), from * d);
      });
    return { values, d };
  };
  return {
    features: (pixels) => judged(pixels, "features"),
    classes(pixels) {
      const logits = judged(pixels, "logits");
      return Int32Array.from({ length: logits.values.length / logits.d }, (_, i) => bestOf(logits, i));
    },
    dispose: () => params.dispose(),
  };
}

/** The place of the largest value of row i. */
function bestOf({ values, d }: Rows, i: number): number {
  let best = 0;
  for (let k = 1; k < d; k++) if (values[i * d + k]! > values[i * d + best]!) best = k;
  return best;
}

/** The backend must be open. @throws PlumeError DATA_LOSS when the file is not the recorded one. */
function openJudge(name: JudgeName): Judge {
  const { file, sha256, build } = JUDGES[name];
  const bytes = readFileSync(asset(file));
  const digest = createHash("sha256").update(bytes).digest("hex");
  if (digest !== sha256)
    throw new PlumeError("DATA_LOSS", `${file} has sha256 ${digest}, recorded is ${sha256}`, {
      remedy: "restore deploy/judge",
    });
  const network = build();
  const tensors = decodeSafetensors(bytes, file);
  return openNetworkJudge(
    network,
    packed(buildLayout(network.params), (tensor) => tensors.get(tensor)!.values),
  );
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
  const [features, labels] = [openJudge("features"), openJudge("labels")];
  return {
    judge: (pixels) => ({ features: features.features(pixels), classes: labels.classes(pixels) }),
    dispose() {
      features.dispose();
      labels.dispose();
    },
  };
}
