// The job file. This zod schema is its only source: types, defaults, validation, `--help`, the README's table and the
// CRD come from it. Every field and group has a `.describe()` that says what it means and its unit.

import { z } from "zod";
import { BACKEND_CHOICES } from "../backends/backend.ts";
import { PREDICTIONS } from "../diffusion/parameterization.ts";
import { PROCESSES } from "../diffusion/processes/index.ts";
import { OBJECTIVES } from "../objectives/index.ts";
import { OPTIMIZERS } from "../optim/optimizers.ts";
import { WIRE_DTYPES } from "../wire/index.ts";
import { adversarialSchema } from "./adversarial.ts";
import { autoencoderSchema } from "./autoencoder.ts";
import { dataSchema } from "./data.ts";
import { listed, oneOf } from "./family.ts";
import { kubernetesSchema, sortedStrings } from "./kubernetes.ts";
import { modelSchema } from "./model.ts";
import { INIT, modelsSchema } from "./models.ts";
import { RULES } from "./rules.ts";
import { samplingSchema } from "./sampling.ts";
import { storeSchema } from "./store.ts";

const positiveInt = z.int().min(1);
const probability = z.number().min(0).max(1);
/** Of a job, a pipeline or a stage: what objects of a cluster are named by, with room for an ending. */
export const NAME = [
  /^[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?$/,
  "must be lower-case letters, digits and '-', at most 53 long",
] as const;
const name = z.string().regex(...NAME);

const scalesSchema = z.strictObject({
  start: positiveInt
    .max(10_000)
    .default(18)
    .describe("N: noise levels that consistency trains between, at the first step; steps of progressive's student"),
  end: positiveInt.max(10_000).optional().describe("N of consistency in the end; N does not grow when absent"),
  steps: positiveInt.default(1000).describe("optimizer steps in which N grows from start to end"),
});

const diffusionSchema = z.strictObject({
  process: oneOf(PROCESSES)
    .default("ddpm")
    .describe(`the diffusion process: ${listed(PROCESSES)}`),
  schedule: z
    .enum(["linear", "cosine"])
    .default("cosine")
    .describe("how noise grows: the betas of ddpm, the log SNR of imagen"),
  timesteps: z.int().min(2).max(10_000).default(1000).describe("T, the steps of ddpm, nonequilibrium and binomial"),
  betaMin: z.number().positive().max(1000).default(0.1).describe("beta at t = 0 of vp and sub-vp"),
  betaMax: z.number().positive().max(1000).default(20).describe("beta at t = 1 of vp and sub-vp"),
  sigmaMin: z
    .number()
    .positive()
    .max(1000)
    .optional()
    .describe("least sigma of ve and edm; 0.01 for ve, 0.002 for edm when absent"),
  sigmaMax: z
    .number()
    .positive()
    .max(10_000)
    .optional()
    .describe("largest sigma of ve and edm; 50 for ve, 80 for edm when absent"),
  pMean: z.number().min(-10).max(10).default(-1.2).describe("mean of ln sigma in edm's training"),
  pStd: z.number().positive().max(10).default(1.2).describe("standard deviation of ln sigma in edm's training"),
  sigmaData: z
    .number()
    .positive()
    .max(10)
    .default(0.5)
    .describe("standard deviation of the data, for predict edm and the process nonequilibrium"),
  predict: oneOf(PREDICTIONS)
    .default("eps")
    .describe(`what the network predicts: ${listed(PREDICTIONS)}`),
  weighting: z
    .enum(["simple", "likelihood"])
    .default("simple")
    .describe("weights of the loss: L_simple's, or g(t)^2, which bounds the likelihood (vp, sub-vp, ve)"),
  variance: z
    .enum(["fixed-small", "fixed-large", "learned-range"])
    .default("fixed-large")
    .describe("variance of the ancestral step; learned-range is between both, and the network gives it too"),
  objective: oneOf(OBJECTIVES)
    .default("simple")
    .describe(`what training makes small: ${listed(OBJECTIVES)}`),
  timestepSampling: z
    .enum(["uniform", "loss-second-moment"])
    .default("uniform")
    .describe(
      "how training draws the T steps of ddpm: all alike, or by the root of their losses' second moment, Nichol and Dhariwal 2021",
    ),
  scales: scalesSchema
    .prefault({})
    .describe("grid of the objectives consistency and progressive: Karras' levels from sigmaMax to sigmaMin"),
  vlbWeight: z
    .number()
    .positive()
    .max(1)
    .default(0.001)
    .describe("lambda, the weight of L_vlb in the objective hybrid"),
  labelDrop: probability
    .default(0.1)
    .describe("share of labels or captions dropped in training, for classifier-free guidance"),
  embeddingDrop: probability
    .default(0.1)
    .describe("share of the embeddings that a unet is told dropped in training, for the same"),
});

const optimizerSchema = z.strictObject({
  type: oneOf(OPTIMIZERS).default("adamw").describe(listed(OPTIMIZERS)),
  lr: z.number().positive().default(2e-4).describe("peak learning rate"),
  beta1: probability.default(0.9).describe("first-moment decay (momentum of sgd, unused by rmsprop)"),
  beta2: probability.default(0.999).describe("second-moment decay (alpha of rmsprop)"),
  eps: z.number().positive().default(1e-8).describe("added to the root of the second moment"),
  weightDecay: z.number().min(0).default(0).describe("decoupled in adamw and lion, L2 in the others"),
});

const trainingSchema = z.strictObject({
  steps: positiveInt.default(1000).describe("optimizer steps of the whole run; may grow, and the run goes on"),
  globalBatch: positiveInt.default(64).describe("samples an optimizer step, whatever the number of workers"),
  microBatch: positiveInt.default(16).describe("samples a micro-batch; must divide globalBatch"),
  optimizer: optimizerSchema.prefault({}).describe("optimizer and its constants"),
  warmup: z.int().min(0).default(0).describe("steps of linear warm-up of the learning rate"),
  schedule: z.enum(["constant", "cosine"]).default("constant").describe("learning rate after the warm-up"),
  clip: z.number().positive().optional().describe("largest global gradient norm; no clipping when absent"),
  ema: probability.default(0.9999).describe("EMA decay, warmed up as min(ema, (1+n)/(10+n))"),
  emaHalfLife: positiveInt.optional().describe("EMA half-life in samples, with EDM's ramp-up; replaces `ema`"),
  wireDtype: oneOf(WIRE_DTYPES)
    .default("float32")
    .describe(`what gradients travel and are summed in: ${listed(WIRE_DTYPES)}; another one gives other bits`),
  init: z
    .string()
    .regex(INIT, "must be teacher, or the sha256 of weights, as --init and plume checkpoints import set it")
    .optional()
    .describe(
      "what training starts from: teacher for a copy of models.teacher, or the sha256 of imported weights, set by --init; fresh ones of the seed when absent",
    ),
  nonFinite: z
    .enum(["fail", "skip"])
    .default("fail")
    .describe("a gradient that is not finite: fail the job, or skip the step"),
});

const autoscaleSchema = z.strictObject({
  deadline: z
    .string()
    .regex(z.regexes.datetime({ offset: true }), "must be a time with its zone, such as 2026-12-01T08:00:00Z")
    .max(40)
    .optional()
    .describe("time by which the last step should be done; the job then would like the fewest workers that do it"),
  minEfficiency: z
    .number()
    .positive()
    .max(1)
    .optional()
    .describe(
      "share of the mean worker's throughput that one more must add; without a deadline the job would like as many as do, with one it never would like more",
    ),
});

const workersSchema = z.strictObject({
  replicas: positiveInt.max(1024).default(2).describe("worker processes to start"),
  min: positiveInt.default(1).describe("the job pauses below this many"),
  max: positiveInt.default(8).describe("largest number of workers admitted"),
  autoscale: autoscaleSchema
    .prefault({})
    .describe("how many workers the job would like, as plume_desired_workers says; nothing is scaled by that alone"),
  perPod: positiveInt
    .max(16)
    .default(1)
    .describe(
      "worker processes in a pod of a cluster, one a device; replicas counts processes and is a multiple of it",
    ),
  backend: z
    .enum(BACKEND_CHOICES)
    .default("auto")
    .describe(
      "compute backend; auto is the first of tfjs-node-gpu, webgpu, tfjs-node and wasm that can start; tfjs-node is TensorFlow's library, after npm run setup:tensorflow; tfjs-node-gpu the same on NVIDIA's GPUs, after npm run setup:tensorflow -- --gpu; webgpu any GPU with Vulkan or Metal, after npm run setup:webgpu",
    ),
  threads: z
    .int()
    .min(1)
    .max(256)
    .default(1)
    .describe("threads that a worker computes with on tfjs-node; another number may give other bits"),
  transport: z
    .enum(["auto", "shm", "grpc"])
    .default("auto")
    .describe("how tensors travel; auto uses shared memory on one host"),
  numerics: z
    .enum(["strict", "mixed"])
    .default("strict")
    .describe("strict refuses a worker whose bits differ; mixed admits it and marks the run"),
  heartbeatSeconds: z
    .number()
    .min(0.05)
    .max(60)
    .default(0.5)
    .describe("seconds between heartbeats; after three missed ones others compute a worker's blocks as well"),
  deadlineSeconds: z
    .number()
    .min(0.5)
    .default(10)
    .describe("no deadline is shorter: silence, or a lease without progress, for longer than this expels a worker"),
  replaceSeconds: z
    .number()
    .min(1)
    .default(30)
    .describe("an expelled worker that is not back after this many seconds is killed and started anew (local runs)"),
  maxRestarts: z
    .int()
    .min(0)
    .default(5)
    .describe("failures in a row without any work done before a worker is given up"),
});

const coordinatorSchema = z.strictObject({
  shards: positiveInt
    .max(64)
    .default(1)
    .describe(
      "reducer processes that hold the parameters and sum gradients, each on its own port; 1 is the coordinator itself",
    ),
});

const auditSchema = z.strictObject({
  rate: probability
    .default(0)
    .describe("share of blocks that a second worker computes too; different bits name and expel the wrong one"),
});

const checkpointSchema = z.strictObject({
  store: z
    .string()
    .optional()
    .describe("where checkpoints are kept: file://DIR or s3://BUCKET/PREFIX; <run folder>/checkpoints when absent"),
  everySteps: positiveInt.default(500).describe("steps between checkpoints; one more is written at the end"),
  keep: positiveInt.default(3).describe("newest checkpoints to keep"),
  keepEvery: positiveInt.optional().describe("keep the checkpoints of steps that this divides for ever"),
  bufferMiB: positiveInt
    .default(1024)
    .describe("most memory for copies on their way to the store; a step waits rather than that it takes more"),
  retrySeconds: z
    .number()
    .min(0)
    .default(60)
    .describe("a save whose store fails is tried again for so long, the last one of a run five times as long"),
  snapshotSeconds: z
    .number()
    .min(0)
    .default(2)
    .describe("seconds between snapshots in the run's folder, from which a killed coordinator goes on; 0 for none"),
});

const monitoringSchema = z.strictObject({
  host: z
    .string()
    .min(1)
    .default("127.0.0.1")
    .describe("address of the coordinator's page, metrics and health, and of its workers' metrics"),
  port: z
    .int()
    .min(0)
    .max(65_535)
    .default(0)
    .describe("port of the coordinator's page, metrics and health; 0 takes a free one, which is printed"),
  workerPort: z
    .int()
    .min(0)
    .max(65_535)
    .default(0)
    .describe("port of each worker's metrics and health; 0 takes a free one, which the coordinator lists"),
  token: z
    .string()
    .min(16)
    .optional()
    .describe(
      "what commands over HTTP must bring; needed where host is not loopback: PLUME_TOKEN, or one that is made and printed, when absent",
    ),
});

const natsSchema = z.strictObject({
  servers: z
    .array(z.string().min(1))
    .default([])
    .describe("URLs of the NATS servers that carry commands, events and status; without any the run has none"),
  credentials: z.string().min(1).optional().describe("file of the user's JWT and nkey seed (.creds)"),
  ca: z.string().min(1).optional().describe("PEM file of the authority that signed the servers' certificates"),
  cert: z.string().min(1).optional().describe("PEM file of the client's certificate, where the servers ask for one"),
  key: z.string().min(1).optional().describe("PEM file of that certificate's key"),
});

const specSchema = z
  .strictObject({
    seed: z.int().min(0).default(0).describe("the one seed: weights, order, noise, samples"),
    data: dataSchema.describe("where the pictures come from, and what becomes of them before training"),
    model: modelSchema
      .prefault({})
      .describe("the network that learns to denoise, to tell noised images apart, or to make images at once; or two"),
    diffusion: diffusionSchema.prefault({}).describe("the diffusion process, and what the network predicts"),
    adversarial: adversarialSchema.prefault({}).describe("the two networks of a GAN; no other job reads it"),
    autoencoder: autoencoderSchema
      .prefault({})
      .describe("a variational autoencoder, or the codes of one that a dalle draws; no other job reads it"),
    models: modelsSchema.prefault({}).describe("other trained models that the job reads and does not change"),
    training: trainingSchema.prefault({}).describe("how long it is trained, in what batches, and by which optimizer"),
    workers: workersSchema
      .prefault({})
      .describe("the processes that compute gradients, one a device; their number changes no bit of the result"),
    coordinator: coordinatorSchema.prefault({}).describe("the process that holds the parameters and adds gradients up"),
    audit: auditSchema
      .prefault({})
      .describe("a second computation of some gradients, which finds a device that computes wrongly"),
    checkpoint: checkpointSchema.prefault({}).describe("where and how often the run is saved"),
    store: storeSchema.prefault({}).describe("how s3:// stores are reached; keys are in the environment, never here"),
    sampling: samplingSchema.prefault({}).describe("pictures that are drawn while it trains and at its end"),
    monitoring: monitoringSchema
      .prefault({})
      .describe("where page, metrics and health are served; in a cluster at ports 7071 and 7072 of the pods"),
    nats: natsSchema.prefault({}).describe("NATS servers for commands, events and status"),
    suspend: z
      .boolean()
      .default(false)
      .describe("in a cluster: save a checkpoint, then give everything back; false again goes on from there"),
    kubernetes: kubernetesSchema
      .prefault({})
      .describe("what the job's pods get in a cluster; a run on one machine does not read it"),
  })
  .describe("the job: what is trained, on what, and by how many")
  .superRefine((spec, ctx) => {
    for (const { path, faults } of RULES)
      for (const message of faults(spec)) ctx.addIssue({ code: "custom", path: [...path], message });
  });

export const jobSchema = z.strictObject({
  apiVersion: z.literal("plume.dev/v1alpha1").default("plume.dev/v1alpha1"),
  kind: z.literal("DiffusionJob").default("DiffusionJob"),
  metadata: z.strictObject({
    name: name.describe("the job's name; the run's folder is runs/<name>"),
    labels: sortedStrings.optional(),
    annotations: sortedStrings.optional(),
  }),
  spec: specSchema,
});

/** A job with every default filled in. */
export type Job = z.infer<typeof jobSchema>;
export type JobSpec = Job["spec"];

/** V: micro-batches a step, fixed by the spec and never by the number of workers. */
export function microBatchesPerStep(spec: JobSpec): number {
  return spec.training.globalBatch / spec.training.microBatch;
}
