// Jobs with a field that is wrong by itself, or that no job has, and what `kubectl apply` says of it.

import { CAPTIONS, TEXT, type WrongJob, wrong } from "./wrong-job.ts";
import { TEACHER } from "./wrong-jobs.ts";

/** Of one field: its form, its range, its type; and what the rules say, or do not say, beside it. */
export const AGAINST_A_FIELD: readonly WrongJob[] = [
  wrong(
    { data: { source: "floppy:a" } },
    'spec.data.source: Forbidden: "floppy:a" must be one of fashion-mnist, shapes:[COUNT], captions:[COUNT], swiss-roll:[COUNT], gaussian-grid:[COUNT], heartbeat:[COUNT], idx:DIR',
  ),
  wrong({ data: {} }, "spec.data.source: Required value"),
  wrong(
    { training: { init: "abc" } },
    'spec.training.init: Forbidden: "abc" must be teacher, or the sha256 of weights, as --init and plume checkpoints import set it',
  ),
  wrong(
    { models: { teacher: { from: "runs/edm" } } },
    'spec.models.teacher.from: Forbidden: "runs/edm" must be a run, a store or a checkpoint at file:// or s3://',
  ),
  wrong({ models: { teacher: {} } }, "spec.models.teacher.from: Required value"),
  wrong(
    { models: { teacher: { ...TEACHER, sha256: "abc" } } },
    'spec.models.teacher.sha256: Forbidden: "abc" must be the sha256 of weights, as summary.json has it',
  ),
  wrong(
    { data: CAPTIONS, model: { text: TEXT }, models: { text: { from: "models/t5" } } },
    'spec.models.text.from: Forbidden: "models/t5" must be a folder of a text encoder, or a clip\'s run or checkpoint, at file:// or s3://',
  ),
  wrong(
    { data: CAPTIONS, model: { text: TEXT }, models: { text: { from: "file:///t5", sha256: "abc" } } },
    'spec.models.text.sha256: Forbidden: "abc" must be the sha256 of a text encoder, as the job in a run\'s folder has it',
  ),
  wrong(
    { store: { endpoint: "ftp://s3.example" } },
    'spec.store.endpoint: Forbidden: "ftp://s3.example" must be an http:// or https:// URL, such as https://minio.example:9000',
  ),
  wrong(
    { store: { endpoint: "ftp://me:hunter2@s3.example" } },
    "spec.store.endpoint: Forbidden: must be an http:// or https:// URL",
    "spec.store.endpoint: Forbidden: holds a user name or a password",
  ),
  wrong(
    { kubernetes: { storage: "20 GB" } },
    'spec.kubernetes.storage: Forbidden: "20 GB" must be a quantity such as 20Gi',
  ),
  wrong(
    { kubernetes: { workers: { resources: { requests: { cpu: "much" } } } } },
    'spec.kubernetes.workers.resources.requests.cpu: Invalid value: "much"',
  ),
  wrong(
    { kubernetes: { workers: { resources: { limits: { memory: -1 } } } } },
    "spec.kubernetes.workers.resources.limits.memory: Invalid value: -1",
    "should be greater than or equal to 0",
  ),
  wrong({ training: { steps: 0 } }, "spec.training.steps: Invalid value: 0", "should be greater than or equal to 1"),
  wrong({ training: { microBatch: 0 } }, "spec.training.microBatch: Invalid value: 0"),
  wrong({ training: { optimizer: { lr: 0 } } }, "spec.training.optimizer.lr: Invalid value: 0", "greater than 0"),
  wrong({ monitoring: { port: 70_000 } }, "spec.monitoring.port: Invalid value: 70000", "less than or equal to 65535"),
  wrong({ model: { lowRes: {} } }, "spec.model.lowRes.size: Required value"),
  wrong(
    { model: { lowRes: { size: 14, noise: 1.5 } } },
    "spec.model.lowRes.noise: Invalid value: 1.5",
    "should be less than or equal to 1",
  ),
  wrong({ model: { groups: 0 } }, "spec.model.groups: Invalid value: 0"),
  wrong({ model: { channelMult: [] } }, "spec.model.channelMult: Invalid value: 0", "at least 1 items"),
  wrong({ model: { channelMult: [1, 1, 1, 1, 1, 1, 1, 1, 1] } }, "spec.model.channelMult: Too many: 9"),
  wrong({ model: { channels: Number.MAX_SAFE_INTEGER, channelMult: [2048] } }, "spec.model.channels: Invalid value"),
  wrong({ workers: { perPod: 0 } }, "spec.workers.perPod: Invalid value: 0"),
  wrong(
    { workers: { replicas: 0 } },
    "spec.workers.replicas: Forbidden: 0 workers train nothing; set suspend to true to give everything back and go on later",
  ),
  wrong({ training: { steps: "many" } }, 'spec.training.steps: Invalid value: "string"', "must be of type integer"),
  wrong({ training: { steps: 1.5 } }, 'spec.training.steps: Invalid value: "number"', "must be of type integer"),
  wrong({ data: { source: "shapes:", flip: "yes" } }, "spec.data.flip: Invalid value", "must be of type boolean"),
  wrong({ nats: { servers: "nats://a" } }, "spec.nats.servers: Invalid value", "must be of type array"),
  wrong(
    { training: { optimizer: { type: "adamax" } } },
    'spec.training.optimizer.type: Unsupported value: "adamax": supported values: "adamw", "adam", "rmsprop", "sgd", "lion"',
  ),
  wrong(
    { data: { source: "shapes:", patch: 3 } },
    'spec.data.patch: Unsupported value: 3: supported values: "1", "2", "4"',
  ),
];

/** Names that no job has, and the nearest that one has. */
export const UNKNOWN_FIELDS: readonly (readonly [spec: object, field: string])[] = [
  [{ trainig: { steps: 1 } }, "spec.trainig"],
  [{ training: { optimiser: {} } }, "spec.training.optimiser"],
  [{ kubernetes: { workers: { tolerations: [{ keys: "gpu" }] } } }, "spec.kubernetes.workers.tolerations[0].keys"],
  // Whoever may read a job would read it.
  [{ monitoring: { token: "0123456789abcdef" } }, "spec.monitoring.token"],
];
