import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, it } from "vitest";
import { processX0 } from "../../shared/diffusion/gaussian.ts";
import { type Thresholding, thresholded } from "../../shared/diffusion/threshold.ts";
import { testBackend } from "../support/backend.ts";

beforeAll(testBackend);

/** Of two images: one that leaves [-1, 1] and one that does not. */
const made = (how: Thresholding) => {
  const x0 = tf.tensor4d([0.5, -1, 2, -4, 0.1, 0.2, -0.3, 0.4], [2, 2, 2, 1]);
  return Array.from(processX0(x0, thresholded(how)).dataSync(), (value) => Number(value.toFixed(4)));
};
const INSIDE = [0.1, 0.2, -0.3, 0.4];

it.each<[Thresholding, number[]]>([
  [{}, [0.5, -1, 1, -1]],
  [{ threshold: "none" }, [0.5, -1, 2, -4]],
  [{ threshold: "dynamic", percentile: 100 }, [0.125, -0.25, 0.5, -1]],
  // Of 0.5, 1, 2, 4 the median is 1.5.
  [{ threshold: "dynamic", percentile: 50 }, [0.3333, -0.6667, 1, -1]],
])("a threshold %j makes of an image what it says, and nothing of one that is inside", (how, expected) => {
  expect(made(how)).toEqual([...expected, ...INSIDE]);
});
