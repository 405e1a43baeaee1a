// Jobs with a mistake each, and what `kubectl apply` says of it: field, value, remedy.

import { AGAINST_EMBEDDINGS } from "./wrong-embeddings.ts";
import { ALL_STEPS, CAPTIONS, CHAIN_OF_IMAGES, TEXT, type WrongJob, wrong } from "./wrong-job.ts";

const CONSISTENCY = { process: "edm", predict: "consistency", objective: "consistency" };
export const TEACHER = { from: "file://runs/edm" };

/** Of a job of a chain. */
const HEARTBEAT = { source: "heartbeat:" };
const BITS = { process: "binomial", predict: "kernel", objective: "trajectory-bound" };

/** Of a job of two networks. */
const DCGAN = { type: "dcgan" };
const HINGE = { objective: "hinge" };
const AT_ONCE = { sampler: "generator", steps: 1 };

/** Between fields: every rule of shared/config/rules.ts. */
export const AGAINST_A_RULE: readonly WrongJob[] = [
  wrong(
    { training: { globalBatch: 64, microBatch: 24 } },
    "spec.training.microBatch: Forbidden: 24 does not divide globalBatch 64; choose a divisor",
  ),
  wrong(
    { data: { source: "shapes:", imageSize: 15, patch: 2 }, model: { channelMult: [1] } },
    "spec.data.patch: Forbidden: 2 does not divide imageSize 15; choose another of the two",
  ),
  wrong(
    { data: { source: "shapes:", augment: 0.12 }, model: { type: "mlp" } },
    "spec.data.augment: Forbidden: 0.12: a mlp cannot be told how an image was augmented; choose unet, or 0",
  ),
  wrong(
    { model: { channelMult: [1, 2, 3, 4] } },
    "spec.model.channelMult: Forbidden: 4 levels divide 28 pixels by 8, which leaves a remainder; use fewer levels or another imageSize",
  ),
  wrong(
    { model: { levelBlocks: [1, 2, 3] } },
    "spec.model.levelBlocks: Forbidden: lists 3, channelMult has 2; give a number for each level",
  ),
  wrong(
    { model: { channels: 8, channelMult: [1, 3], groups: 16 } },
    "spec.model.groups: Forbidden: 16 does not divide the 8 channels of level 0; choose a divisor of channels",
  ),
  wrong(
    { model: { attention: [14, 5] } },
    "spec.model.attention: Forbidden: 5 is no resolution of this network; choose from its own, [28, 14]",
  ),
  wrong({ workers: { min: 9 } }, "spec.workers.min: Forbidden: 9 is above max 8; lower min, or raise max"),
  wrong(
    { workers: { replicas: 9 } },
    "spec.workers.replicas: Forbidden: 9 is above workers.max 8; raise max or start fewer",
  ),
  wrong(
    { workers: { replicas: 3, perPod: 2 } },
    "spec.workers.replicas: Forbidden: 3 processes do not fill pods of 2; choose a multiple of workers.perPod",
  ),
  wrong(
    { diffusion: { schedule: "linear", timesteps: 20 }, sampling: { steps: 20 } },
    "spec.diffusion.timesteps: Forbidden: 20 is too few for the linear schedule, whose betas reach 1 at 20; use more than 20, or the cosine schedule",
  ),
  wrong(
    { diffusion: { process: "vp", betaMin: 2, betaMax: 1.5 }, sampling: { sampler: "heun" } },
    "spec.diffusion.betaMax: Forbidden: 1.5 is below betaMin 2; lower betaMin, or raise betaMax",
  ),
  wrong(
    { diffusion: { process: "ve", sigmaMin: 60 }, sampling: { sampler: "heun" } },
    "spec.diffusion.sigmaMax: Forbidden: 50 is not above sigmaMin 60; lower sigmaMin, or raise sigmaMax",
  ),
  wrong(
    { diffusion: { weighting: "likelihood" } },
    "spec.diffusion.weighting: Forbidden: likelihood weights by g(t)^2, which ddpm has not; use simple, or one of vp, sub-vp, ve",
  ),
  wrong(
    { diffusion: { process: "vp", timestepSampling: "loss-second-moment" }, sampling: { sampler: "heun" } },
    "spec.diffusion.timestepSampling: Forbidden: loss-second-moment draws the steps of ddpm, which vp has not; use uniform, or the process ddpm",
  ),
  wrong(
    { diffusion: { process: "edm", objective: "vlb" }, sampling: { sampler: "heun" } },
    "spec.diffusion.objective: Forbidden: vlb is not for the process edm; choose simple, or another process",
  ),
  wrong(
    { diffusion: { variance: "learned-range" } },
    "spec.diffusion.variance: Forbidden: learned-range is taught by the bound, which the objective simple has not; choose hybrid, or a fixed one",
  ),
  wrong(
    { diffusion: { objective: "hybrid" } },
    "spec.diffusion.variance: Forbidden: fixed-large leaves the objective hybrid nothing to teach; choose learned-range",
  ),
  wrong(
    { diffusion: { process: "edm", predict: "edm", objective: "consistency" }, sampling: { sampler: "heun" } },
    "spec.diffusion.predict: Forbidden: edm does not go with the objective consistency; predict consistency for consistency, and for no other",
  ),
  wrong(
    { diffusion: { ...CONSISTENCY, scales: { start: 1 } }, sampling: { sampler: "consistency" } },
    "spec.diffusion.scales.start: Forbidden: 1 leaves consistency no two levels to train between; use 2 or more",
  ),
  wrong(
    { diffusion: { scales: { start: 10, end: 5 } } },
    "spec.diffusion.scales.end: Forbidden: 5 is below start 10; lower start, or raise end",
  ),
  wrong(
    { diffusion: { process: "edm", objective: "progressive" }, sampling: { sampler: "progressive" } },
    "spec.models.teacher: Forbidden: is what the objective progressive distils; set models.teacher.from to a trained model",
  ),
  wrong(
    { models: { teacher: TEACHER } },
    "spec.models.teacher: Forbidden: is not read by the objective simple; take it out, or choose consistency or progressive",
  ),
  wrong(
    { training: { init: "teacher" } },
    "spec.training.init: Forbidden: teacher is no model that the job names; set models.teacher, or take init out",
  ),
  wrong(
    { diffusion: { objective: "cross-entropy" } },
    "spec.diffusion.objective: Forbidden: cross-entropy does not judge what the network unet gives; choose simple, hybrid, vlb, rescaled-vlb, consistency, progressive",
  ),
  wrong(
    { model: { type: "classifier" }, diffusion: { objective: "cross-entropy" } },
    "spec.model.classes: Forbidden: 0 leaves a classifier nothing to tell apart; set it to the number of the data set's classes",
  ),
  wrong(
    {
      model: { type: "classifier", classes: 10 },
      diffusion: { objective: "cross-entropy" },
      sampling: { everySteps: 100 },
    },
    "spec.sampling.everySteps: Forbidden: 100: a classifier draws no pictures; leave it out",
  ),
  wrong(
    { diffusion: { process: "edm" } },
    "spec.sampling.sampler: Forbidden: ddim does not fit the process edm; choose one that does",
  ),
  wrong(
    { diffusion: CONSISTENCY, sampling: { sampler: "heun" } },
    "spec.sampling.sampler: Forbidden: heun does not draw from what predicts consistency; choose consistency for predict consistency, and for no other",
  ),
  wrong(
    { diffusion: { timesteps: 40 } },
    "spec.sampling.steps: Forbidden: 50 is above diffusion.timesteps 40; take fewer steps, or more timesteps",
  ),
  wrong(
    { sampling: { guidance: 2.5 } },
    "spec.sampling.guidance: Forbidden: 2.5 needs class labels or captions; set model.classes or model.text, or guidance 1",
  ),
  wrong(
    { sampling: { classifierScale: 2.5 } },
    "spec.sampling.classifierScale: Forbidden: 2.5 needs a classifier that guides; name one in models.classifier, or leave it out",
  ),
  wrong(
    {
      model: { type: "classifier", classes: 10 },
      diffusion: { objective: "cross-entropy" },
      models: { classifier: { from: "file:///runs/classifier" } },
    },
    "spec.models.classifier: Forbidden: guides what denoises, which a classifier does not; leave it out",
  ),
  wrong(
    { diffusion: { process: "vp" }, sampling: { sampler: "heun", eta: 0.5 } },
    "spec.sampling.eta: Forbidden: 0.5 scales the noise of samplers such as ddim, euler-ancestral; that of heun is its own, so leave it out",
  ),
  wrong(
    { sampling: { grid: "karras" } },
    "spec.sampling.grid: Forbidden: karras is for samplers that walk any levels of noise, such as euler, heun; ddim has its own, so leave it out",
  ),
  wrong(
    { diffusion: { process: "vp" }, sampling: { sampler: "pc", threshold: "dynamic" } },
    "spec.sampling.threshold: Forbidden: dynamic is of predictions of x_0, which pc does not see; leave it out",
  ),
  wrong(
    { sampling: { percentile: 99.5 } },
    "spec.sampling.percentile: Forbidden: 99.5 is of the threshold dynamic; set that too, or leave it out",
  ),
  wrong(
    { diffusion: { process: "nonequilibrium", objective: "trajectory-bound" }, sampling: ALL_STEPS },
    "spec.diffusion.predict: Forbidden: eps is nothing that nonequilibrium could step back by; choose kernel",
  ),
  wrong(
    { diffusion: { process: "nonequilibrium", predict: "kernel" }, sampling: ALL_STEPS },
    "spec.diffusion.objective: Forbidden: simple does not judge the steps of nonequilibrium; choose trajectory-bound",
  ),
  wrong(
    { diffusion: { ...BITS, timesteps: 1000 }, sampling: ALL_STEPS },
    "spec.data.source: Forbidden: holds no bits, which binomial flips; choose heartbeat",
  ),
  wrong(
    { data: { ...HEARTBEAT, augment: 0.12 }, diffusion: BITS, sampling: ALL_STEPS },
    "spec.data.augment: Forbidden: 0.12 makes of bits what are none, which binomial flips; set it to 0",
  ),
  wrong(
    { data: HEARTBEAT, diffusion: { ...BITS, timesteps: 400 }, sampling: ALL_STEPS },
    "spec.sampling.steps: Forbidden: 1000 is not diffusion.timesteps 400, all of which binomial takes; set both alike",
  ),
  wrong(
    { data: HEARTBEAT, model: { classes: 2 }, diffusion: BITS, sampling: { ...ALL_STEPS, guidance: 2 } },
    "spec.sampling.guidance: Forbidden: 2 mixes two predictions of x_0, which binomial does not make; set it to 1",
  ),
  wrong(
    { model: { lowRes: { size: 28 } } },
    "spec.model.lowRes.size: Forbidden: 28 is not below data.imageSize 28; lower it, or raise imageSize",
  ),
  wrong(
    { model: { type: "mlp", lowRes: { size: 14 } } },
    "spec.model.lowRes: Forbidden: is not read by a mlp; leave it out, or choose unet",
  ),
  wrong(
    { data: HEARTBEAT, model: { lowRes: { size: 14 } }, diffusion: BITS, sampling: ALL_STEPS },
    "spec.model.lowRes: Forbidden: is not told to the steps of binomial; leave it out, or choose another process",
  ),
  wrong(
    { data: { source: "shapes:", augment: 0.12 }, model: { lowRes: { size: 14 } } },
    "spec.model.lowRes: Forbidden: is of an image before data.augment 0.12 changes it; leave it out, or set data.augment 0",
  ),
  wrong(
    { model: { lowRes: { size: 14, noise: 0.25 } }, sampling: { lowResNoise: 0.5 } },
    "spec.sampling.lowResNoise: Forbidden: 0.5 is above model.lowRes.noise 0.25, the most that the network has seen; lower it",
  ),
  wrong(
    { model: DCGAN, diffusion: { ...HINGE, process: "edm" }, sampling: AT_ONCE },
    "spec.diffusion.process: Forbidden: edm: a dcgan is trained by no process; leave it out",
  ),
  wrong(
    { model: DCGAN, diffusion: { ...HINGE, timestepSampling: "loss-second-moment" }, sampling: AT_ONCE },
    "spec.diffusion.timestepSampling: Forbidden: loss-second-moment: a dcgan is trained at no time steps; set it to uniform",
  ),
  wrong(
    { sampling: AT_ONCE },
    "spec.sampling.sampler: Forbidden: generator does not draw from a unet; choose another one",
  ),
  wrong(
    { model: DCGAN, diffusion: HINGE, sampling: { ...AT_ONCE, steps: 50 } },
    "spec.sampling.steps: Forbidden: 50: a dcgan draws by no steps of a process; set it to 1",
  ),
  wrong(
    { model: { ...DCGAN, classes: 10 }, diffusion: HINGE, sampling: { ...AT_ONCE, guidance: 2 } },
    "spec.sampling.guidance: Forbidden: 2 mixes two predictions of x_0, which a dcgan does not make; set it to 1",
  ),
  wrong(
    { model: DCGAN, diffusion: HINGE, adversarial: { labelSmoothing: 0.1 }, sampling: AT_ONCE },
    "spec.adversarial.labelSmoothing: Forbidden: 0.1: hinge has no target to smooth; set it to 0, or choose non-saturating",
  ),
  wrong(
    { data: CAPTIONS, model: { type: "mlp", text: TEXT } },
    "spec.model.text: Forbidden: is not read by a mlp; leave it out, or choose unet or clip or prior or ar-prior or dalle",
  ),
  wrong(
    { data: CAPTIONS, model: { text: TEXT }, diffusion: CHAIN_OF_IMAGES, sampling: ALL_STEPS },
    "spec.model.text: Forbidden: is not told to the steps of nonequilibrium; leave it out, or choose another process",
  ),
  wrong(
    { data: CAPTIONS, model: { text: { ...TEXT, heads: 3 } } },
    "spec.model.text.heads: Forbidden: 3 does not divide the width 32; choose a divisor",
  ),
  wrong(
    { data: CAPTIONS, model: { classes: 10, text: TEXT } },
    "spec.model.classes: Forbidden: 10 beside model.text would be a second condition; set it to 0, or leave text out",
  ),
  wrong(
    { data: CAPTIONS, model: { text: TEXT }, models: { classifier: { from: "file:///runs/classifier" } } },
    "spec.models.classifier: Forbidden: beside model.text would be a second condition; leave one of them out",
  ),
  wrong(
    { models: { text: { from: "file:///models/t5" } } },
    "spec.models.text: Forbidden: is read by model.text of unet; set its width to the encoder's channels, or take it out",
  ),
  wrong(
    { model: { text: TEXT } },
    "spec.data.source: Forbidden: has no captions, which model.text reads; choose captions, wds, parquet",
  ),
  wrong(
    { data: { source: "wds:shards" }, model: { text: TEXT } },
    "spec.data.source: Forbidden: has captions of any words, which need a text encoder; name one in models.text, or choose captions",
  ),
  wrong(
    { sampling: { prompts: ["a red square"] } },
    "spec.sampling.prompts: Forbidden: are read by a network with model.text, or by models.prior; set one of them, or leave them out",
  ),
  wrong(
    { data: { ...CAPTIONS, flip: true }, model: { text: TEXT } },
    "spec.data.flip: Forbidden: true makes captions wrong that say left or right; set it to false",
  ),
  wrong(
    { data: { ...CAPTIONS, augment: 0.12 }, model: { text: TEXT } },
    "spec.data.augment: Forbidden: 0.12 makes captions wrong that say where things are; set it to 0",
  ),
  ...AGAINST_EMBEDDINGS,
  wrong(
    {
      ...{ data: CAPTIONS, model: { type: "dalle", text: TEXT }, diffusion: { objective: "next-token" } },
      sampling: AT_ONCE,
    },
    "spec.models.dvae: Forbidden: is whose codes a dalle draws; set models.dvae.from to a trained dvae",
  ),
  wrong(
    { models: { dvae: { from: "file://runs/dvae" } } },
    "spec.models.dvae: Forbidden: has codes, which a unet does not draw; leave it out, or choose dalle",
  ),
  wrong(
    { sampling: { temperature: 0.5 } },
    "spec.sampling.temperature: Forbidden: 0.5 is of codes that are drawn one by one, which a unet does not; leave it out",
  ),
  wrong(
    { sampling: { topK: 8 } },
    "spec.sampling.topK: Forbidden: 8 is of codes that are drawn one by one, which a unet does not; leave it out",
  ),
  wrong(
    { store: { endpoint: "https://me:hunter2@s3.example" } },
    "spec.store.endpoint: Forbidden: holds a user name or a password: they belong in the environment",
  ),
];
