// The table of networks. A network's code loads TensorFlow.js; the table does not.

import type { NetworkKind } from "./kind.ts";

export const NETWORKS = {
  unet: {
    about: "ADM's U-Net",
    pyramid: true,
    load: async () => (await import("./unet.ts")).unetOf,
  },
  mlp: {
    about: "a perceptron of all pixels, for data of few",
    load: async () => (await import("./mlp.ts")).mlpOf,
  },
} satisfies Record<string, NetworkKind>;

export type NetworkName = keyof typeof NETWORKS;

/** Those whose feature maps come in several sizes. */
export const PYRAMIDS = (Object.keys(NETWORKS) as NetworkName[]).filter(
  (name) => (NETWORKS[name] as NetworkKind).pyramid,
);
