// The table of networks. A network's code loads TensorFlow.js; the table does not.

import { GIVES, type Gives } from "../nn/network.ts";
import type { NetworkKind } from "./kind.ts";

export { GIVES, type Gives };

export const NETWORKS = {
  unet: {
    about: "ADM's U-Net, which denoises",
    gives: "image",
    pyramid: "attentive",
    lowRes: true,
    augments: true,
    text: true,
    embedding: true,
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
    pyramid: "attentive",
    load: async () => (await import("./classifier.ts")).classifierOf,
  },
  dcgan: {
    about: "a generator and a discriminator of convolutions, Radford et al. 2016 without batch norm",
    gives: "game",
    pyramid: "plain",
    load: async () => (await import("./dcgan.ts")).dcganOf,
  },
  "gan-resnet": {
    about: "the same of residual blocks, Miyato et al. 2018 without batch norm",
    gives: "game",
    pyramid: "plain",
    load: async () => (await import("./gan-resnet.ts")).ganResnetOf,
  },
  "gan-mlp": {
    about: "the same of dense layers, for data of few pixels",
    gives: "game",
    load: async () => (await import("./gan-mlp.ts")).ganMlpOf,
  },
  vae: {
    about: "a variational autoencoder, Kingma and Welling 2014, in the form of diffusers' AutoencoderKL",
    gives: "bound",
    pyramid: "attentive",
    load: async () => (await import("./vae.ts")).vaeOf,
  },
  dvae: {
    about: "DALL-E's discrete variational autoencoder, Ramesh et al. 2021: images as a grid of codes",
    gives: "bound",
    pyramid: "attentive",
    codebook: true,
    load: async () => (await import("./dvae.ts")).dvaeOf,
  },
  flow: {
    about: "a normalizing flow: RealNVP's couplings, Dinh et al. 2017, with Glow's invertible 1x1 convolutions",
    gives: "density",
    pyramid: "plain",
    load: async () => (await import("./flow.ts")).flowOf,
  },
  clip: {
    about: "CLIP, Radford et al. 2021: images and captions as embeddings of one space",
    gives: "features",
    text: "always",
    embedding: "makes",
    load: async () => (await import("./clip.ts")).clipOf,
  },
  prior: {
    about: "unCLIP's prior, Ramesh et al. 2022: denoises models.clip's embedding of an image, told the caption",
    gives: "embedding",
    text: "always",
    embedding: "always",
    load: async () => (await import("./prior.ts")).priorOf,
  },
  "ar-prior": {
    about:
      "unCLIP's autoregressive prior, Ramesh et al. 2022: draws the same embedding number by number, each one of some buckets",
    gives: "embedding-codes",
    text: "always",
    embedding: "always",
    load: async () => (await import("./ar-prior.ts")).arPriorOf,
  },
  dalle: {
    about:
      "DALL-E's transformer, Ramesh et al. 2021: draws the codes of models.dvae one by one, after the words of a caption",
    gives: "codes",
    text: "always",
    load: async () => (await import("./dalle.ts")).dalleOf,
  },
} satisfies Record<string, NetworkKind>;

export type NetworkName = keyof typeof NETWORKS;
export const NETWORK_NAMES = Object.keys(NETWORKS) as readonly NetworkName[];

/** Whether a network denoises. */
export const denoises = (type: NetworkName): boolean => NETWORKS[type].gives === "image";

/** Whether it is a generator and a discriminator. */
export const plays = (type: NetworkName): boolean => NETWORKS[type].gives === "game";

/** Whether it draws by no process: images of z at once, or code by code. */
export const generates = (type: NetworkName): boolean => BY_NO_PROCESS.includes(NETWORKS[type].gives);

/** Whether it draws the codes of a dvae. */
export const drawsImageCodes = (type: NetworkName): boolean => NETWORKS[type].gives === "codes";

/** Whether it draws code by code: images, or embeddings. */
export const drawsCodes = (type: NetworkName): boolean =>
  drawsImageCodes(type) || NETWORKS[type].gives === "embedding-codes";

/** Whether what it says under a condition can be mixed with what it says without: not of images that are made at once. */
export const mixes = (type: NetworkName): boolean => !generates(type) || drawsCodes(type);

const AT_ONCE_OR_BY_CODE: readonly Gives[] = ["game", "bound", "density", "codes"];
const BY_NO_PROCESS: readonly Gives[] = [...AT_ONCE_OR_BY_CODE, "embedding-codes"];
const PICTURES: readonly Gives[] = ["image", ...AT_ONCE_OR_BY_CODE];
/** Whether pictures can be drawn with it, and labels be its condition. */
export const givesImages = (type: NetworkName): boolean => PICTURES.includes(NETWORKS[type].gives);

const EMBEDDINGS: readonly Gives[] = ["embedding", "embedding-codes"];
/** Whether it draws embeddings, and no pictures: by a process, or code by code. */
export const drawsEmbeddings = (type: NetworkName): boolean => EMBEDDINGS.includes(NETWORKS[type].gives);

const DRAWN: readonly Gives[] = [...PICTURES, ...EMBEDDINGS];
/** Whether it draws anything: pictures, or embeddings of them. */
export const draws = (type: NetworkName): boolean => DRAWN.includes(NETWORKS[type].gives);

const networksThat = (hold: (kind: NetworkKind) => boolean | undefined): readonly NetworkName[] =>
  NETWORK_NAMES.filter((name) => hold(NETWORKS[name]));

/** Those whose feature maps come in several sizes, and those that have group norms and attention at some of them. */
export const PYRAMIDS = networksThat(({ pyramid }) => pyramid !== undefined);
export const ATTENTIVE = networksThat(({ pyramid }) => pyramid === "attentive");
/** Those that can be told how an image was augmented. */
export const AUGMENTED = networksThat(({ augments }) => augments);
/** Those that can be upsamplers. */
export const UPSAMPLERS = networksThat(({ lowRes }) => lowRes);
/** Those that can read captions. */
export const READERS = networksThat(({ text }) => text !== undefined);
export const ALWAYS_READ = networksThat(({ text }) => text === "always");
/** Those that code images by a codebook. */
export const CODEBOOKS = networksThat(({ codebook }) => codebook);
/** Those that embeddings of CLIP are of, and of these those that need their size. */
export const EMBEDDERS = networksThat(({ embedding }) => embedding !== undefined);
export const ALWAYS_EMBED = networksThat(({ embedding }) => embedding === "always" || embedding === "makes");
/** Those that draw embeddings. */
export const EMBEDDING_DRAWN = networksThat(({ gives }) => EMBEDDINGS.includes(gives));
/** Those that make them themselves. */
export const MAKERS = networksThat(({ embedding }) => embedding === "makes");
