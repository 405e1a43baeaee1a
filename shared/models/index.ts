// The table of networks. A network's code loads TensorFlow.js; the table does not.

import type { NetworkKind } from "./kind.ts";

export const NETWORKS = {
  unet: {
    about: "ADM's U-Net, which denoises",
    gives: "image",
    pyramid: true,
    lowRes: true,
    text: true,
    load: async () => (await import("./unet.ts")).unetOf,
  },
  mlp: {
    about: "a perceptron of all pixels, for data of few, which denoises",
    gives: "image",
    load: async () => (await import("./mlp.ts")).mlpOf,
  },
  classifier: {
    about: "ADM's classifier of noised images, which guides what denoises",
    gives: "classes",
    pyramid: true,
    load: async () => (await import("./classifier.ts")).classifierOf,
  },
} satisfies Record<string, NetworkKind>;

export type NetworkName = keyof typeof NETWORKS;

/** Whether a network denoises, so that pictures can be drawn with it and labels be its condition. */
export const givesImages = (type: NetworkName): boolean => NETWORKS[type].gives === "image";

/** Whether a network can be an upsampler. */
export const takesLowRes = (type: NetworkName): boolean => (NETWORKS[type] as NetworkKind).lowRes ?? false;

/** Whether a network can read captions. */
export const takesText = (type: NetworkName): boolean => (NETWORKS[type] as NetworkKind).text ?? false;

/** Those whose feature maps come in several sizes. */
export const PYRAMIDS = (Object.keys(NETWORKS) as NetworkName[]).filter(
  (name) => (NETWORKS[name] as NetworkKind).pyramid,
);
