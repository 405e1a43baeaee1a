// Another value for every field that decides the bits of a run, and a job in which it may have it.

import { CLIP } from "./wrong-embeddings.ts";
import { CAPTIONS, TEXT } from "./wrong-job.ts";
import { TEACHER } from "./wrong-jobs.ts";

/** A job of another model's codes. */
const DALLE = {
  data: CAPTIONS,
  model: { type: "dalle", text: TEXT },
  models: { dvae: { from: "file://runs/dvae" } },
  diffusion: { objective: "next-token" },
  sampling: { sampler: "generator", steps: 1 },
};

const ENCODER = { from: "file:///models/t5" };

/** Fields that have another value for ddpm alone. */
const OF_DDPM = ["diffusion.objective", "diffusion.timestepSampling"];

/** Fields of a job that is told CLIP's embeddings. */
const OF_CLIP = ["model.embedding", "models.clip.sha256"];

/**
 * A job in which a field may have another value: a process with any weighting, for some the one with a bound, one that
 * distils for what it reads of its teacher, and an upsampler for what that is told.
 */
export const unchanged = (path: string) =>
  path.startsWith("models.text.")
    ? { data: CAPTIONS, model: { text: TEXT }, models: { text: ENCODER }, diffusion: { process: "imagen" } }
    : path.startsWith("models.teacher.")
      ? {
          diffusion: { process: "edm", objective: "progressive" },
          models: { teacher: TEACHER },
          sampling: { sampler: "progressive" },
        }
      : path.startsWith("models.dvae.")
        ? DALLE
        : {
            diffusion: { process: OF_DDPM.includes(path) ? "ddpm" : "vp" },
            models: OF_CLIP.includes(path) ? { clip: CLIP } : {},
            sampling: { sampler: "euler" },
            ...(OF_CLIP.includes(path) && { model: { embedding: 48 } }),
            ...(path.startsWith("model.text.") && { data: CAPTIONS, model: { text: TEXT } }),
            ...(path.startsWith("model.lowRes.") && { model: { lowRes: { size: 14 } } }),
          };

/**
 * Another value for each field that decides a run's bits, of a job that is at the defaults but for `unchanged`. A network of
 * another type breaks rules as well.
 */
export const CHANGED: Readonly<Record<string, unknown>> = {
  seed: 1,
  "data.source": "shapes:64",
  "data.imageSize": 32,
  "data.patch": 2,
  "data.flip": true,
  "data.augment": 0.12,
  "data.limit": 100,
  "model.type": "classifier",
  "model.channels": 64,
  "model.channelMult": [2, 1],
  "model.resBlocks": 2,
  "model.levelBlocks": [1, 2],
  "model.scaleSkips": true,
  "model.attention": [14],
  "model.headChannels": 8,
  "model.groups": 4,
  "model.dropout": 0.1,
  "model.scaleShift": false,
  "model.resample": "resblock",
  "model.classes": 10,
  "model.layers": 2,
  "model.bases": 20,
  "model.buckets": 256,
  "model.pool": "adaptive",
  "model.text.width": 64,
  "model.text.layers": 1,
  "model.text.heads": 4,
  "model.embedding": 64,
  "model.lowRes.size": 7,
  "model.lowRes.blur": 0.6,
  "model.lowRes.noise": 0.5,
  "diffusion.process": "ve",
  "diffusion.schedule": "linear",
  "diffusion.timesteps": 500,
  "diffusion.betaMin": 0.2,
  "diffusion.betaMax": 10,
  "diffusion.sigmaMin": 0.1,
  "diffusion.sigmaMax": 20,
  "diffusion.pMean": -1,
  "diffusion.pStd": 1,
  "diffusion.sigmaData": 0.4,
  "diffusion.predict": "v",
  "diffusion.weighting": "likelihood",
  "diffusion.variance": "fixed-small",
  "diffusion.objective": "vlb",
  "diffusion.timestepSampling": "loss-second-moment",
  "diffusion.scales.start": 10,
  "diffusion.scales.end": 100,
  "diffusion.scales.steps": 500,
  "diffusion.vlbWeight": 0.01,
  "diffusion.labelDrop": 0,
  "diffusion.embeddingDrop": 0,
  "adversarial.latent": 16,
  "adversarial.spectralNorm": true,
  "adversarial.discriminatorSteps": 5,
  "adversarial.penalty": "r1",
  "adversarial.penaltyWeight": 1,
  "adversarial.labelSmoothing": 0.1,
  "adversarial.discriminator.lr": 4e-4,
  "adversarial.discriminator.beta1": 0.5,
  "adversarial.discriminator.beta2": 0.9,
  "autoencoder.latentChannels": 8,
  "autoencoder.beta": 2,
  "autoencoder.betaSteps": 100,
  "autoencoder.codes": 64,
  "autoencoder.codeSide": 8,
  "autoencoder.temperature.from": 2,
  "autoencoder.temperature.to": 0.5,
  "autoencoder.temperature.steps": 100,
  "models.teacher.sha256": "0".repeat(64),
  "models.text.length": 128,
  "models.text.sha256": "0".repeat(64),
  "models.clip.sha256": "0".repeat(64),
  "models.dvae.sha256": "0".repeat(64),
  "training.globalBatch": 128,
  "training.microBatch": 8,
  "training.optimizer.type": "lion",
  "training.optimizer.lr": 1e-3,
  "training.optimizer.beta1": 0.8,
  "training.optimizer.beta2": 0.99,
  "training.optimizer.eps": 1e-6,
  "training.optimizer.weightDecay": 0.01,
  "training.warmup": 10,
  "training.schedule": "cosine",
  "training.clip": 1,
  "training.ema": 0.99,
  "training.emaHalfLife": 1000,
  "training.wireDtype": "bfloat16",
  "training.init": "0".repeat(64),
};
