// What becomes of a predicted x_0 before a sampler goes on from it. What does it loads TensorFlow.js; the table does not.

export const THRESHOLDS = {
  static: { about: "clips it to [-1, 1]" },
  dynamic: {
    about:
      "Saharia et al. 2022, clips it to a percentile of the image's own |x_0| where that is above 1, and divides by it",
  },
  none: { about: "leaves it" },
} as const;

export type ThresholdName = keyof typeof THRESHOLDS;

/** The percentile of dynamic thresholding where none is given. */
export const PERCENTILE = 99.5;
