// The compute thread: holds the backend, because TensorFlow.js blocks its event loop while it computes. Parameters come
// from shared memory, partial sums stay on it until they are sent. Owns the device; knows no network and no store.

import { createHash } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import { openBackend } from "../shared/backends/index.ts";
import { parseJob } from "../shared/config/load.ts";
import { PlumeError } from "../shared/errors.ts";
import { invariant } from "../shared/invariant.ts";
import { createVectorHeap, type HeapVector } from "../shared/kernels/kernels.ts";
import { initialParameters } from "../shared/nn/init.ts";
import { blockGradient } from "../shared/pipeline/block-gradient.ts";
import { openCaptions, promptsOf } from "../shared/pipeline/captions.ts";
import { createDeviceParams } from "../shared/pipeline/device-params.ts";
import { openFrozen } from "../shared/pipeline/frozen.ts";
import { createGenerator, gridLabels } from "../shared/pipeline/generate.ts";
import type { HeldOut } from "../shared/pipeline/held-out.ts";
import { isWeighted } from "../shared/pipeline/importance.ts";
import { lowResPart, partOf } from "../shared/pipeline/low-res.ts";
import { createMicroBatch } from "../shared/pipeline/micro-batch.ts";
import { buildNetwork } from "../shared/pipeline/network.ts";
import { shownClasses } from "../shared/pipeline/tiles.ts";
import { bits, PURPOSE } from "../shared/rng/stream.ts";
import { inTurn, PROMPTS } from "../shared/scenes/prompts.ts";
import { buildLayout } from "../shared/tensor/layout.ts";
import { openWire } from "../shared/wire/index.ts";
import type { ComputeInit, ComputeReply, ComputeRequest, ComputeThreadData } from "./messages.ts";

const port = parentPort;
invariant(port, "the compute thread has a parent");
const reply = (message: ComputeReply) => port.postMessage(message);

const { revoked } = workerData as ComputeThreadData;

type GradientRequest = Extract<ComputeRequest, { kind: "gradient" }>;

type Handler = (request: ComputeRequest) => void | Promise<void>;

async function open(id: number, { jobYaml, image, frozen, heldOut }: ComputeInit): Promise<Handler> {
  const { spec } = parseJob(jobYaml);
  const backend = await openBackend(spec.workers.backend, spec.workers.threads);
  const network = await buildNetwork(spec, image);
  const layout = buildLayout(network.params);
  const params = createDeviceParams(layout);
  const heap = createVectorHeap(layout, openWire(spec.training, spec.seed));
  const landing = heap.allocate();
  const { program } = backend;
  const { text, ...networks } = frozen;
  const beside = await openFrozen(networks);
  const { classifier, prior, ...taught } = beside; // those two are for drawing alone
  const readCaptions = await openCaptions(spec, text, program);
  const compute = createMicroBatch(spec, network, layout, image, backend, taught, readCaptions);
  const generate = createGenerator({ spec, network, params, image, program, readCaptions, ...beside });
  const classes = shownClasses(spec, classifier);
  /** What images [from, to) of a grid are drawn from, an upsampler's or a decoder's. */
  const drawnFrom = ({ pixels, labels, captions }: HeldOut, from: number, to: number) => ({
    ...(spec.model.lowRes
      ? { lowRes: lowResPart({ pixels, noise: spec.sampling.lowResNoise }, labels.length, from, to) }
      : { pictures: partOf(pixels, labels.length, from, to) }),
    labels: classes > 0 ? [...labels.subarray(from, to)] : null,
    captions: spec.model.text && captions?.slice(from, to),
  });
  const askedOf = (indices: readonly number[]) => ({
    labels: gridLabels(indices, classes),
    captions: (spec.model.text || prior) && promptsOf(spec, indices),
  });
  /** Partial sums that are being sent, by request id. */
  const lent = new Map<number, HeapVector>();

  const gradient = async ({ id, step, block, batches, weights }: GradientRequest) => {
    const started = performance.now();
    let leafStarted = started;
    const onLeaf = (done: number) => {
      backend.check();
      const now = performance.now();
      reply({ kind: "progress", id, done, seconds: (now - leafStarted) / 1000 });
      leafStarted = now;
      if (Atomics.load(revoked, 0) === id) throw new PlumeError("STALE", "the lease was revoked");
    };
    const work = { step, block, batches, weights, onLeaf };
    const { sum, losses, sampleLosses } = await blockGradient(heap, compute, params, work).catch((error) => {
      backend.check(); // a device that is gone says why; what failed on it often does not
      throw error;
    });
    lent.set(id, sum);
    const total = (performance.now() - started) / 1000;
    const digest = heap.digest(sum);
    const { usedBytes, tensors, tensorBytes } = backend.memory();
    const device = { usedBytes, tensors, tensorBytes };
    reply({
      kind: "gradient",
      id,
      payload: heap.encode(sum),
      digest,
      losses,
      sampleLosses: isWeighted(spec) ? sampleLosses : undefined,
      seconds: { compute: total },
      device,
    });
  };

  /** One fixed micro-batch of the fresh parameters: its digest names the numerics class of this device. */
  const canary = async (id: number) => {
    const n = spec.training.microBatch;
    params.load(initialParameters(layout, 0));
    const size = n * image.height * image.width * image.channels;
    const pixels = Uint8Array.from(
      bits({ seed: 0, purpose: PURPOSE.canary, step: 0, index: 0 }, size),
      (word) => word & 255,
    );
    const labels = Int32Array.from({ length: n }, (_, i) => (spec.model.classes > 0 ? i % spec.model.classes : -1));
    const leaf = heap.allocate();
    const captions = inTurn(PROMPTS, [...labels.keys()]);
    const loss = await compute(params, { step: 0, index: 0, pixels, labels, captions }, leaf.floats);
    const digest = createHash("sha256").update(heap.digest(leaf)).update(String(loss)).digest("hex").slice(0, 16);
    heap.release(leaf);
    params.dispose();
    reply({ kind: "canary", id, digest: `${backend.name}:${digest}` });
  };

  /** Parameters that were damaged on their way would give a gradient that looks as good as any. */
  const load = (id: number, digest: string) => {
    const arrived = heap.digest(landing);
    if (arrived !== digest)
      throw new PlumeError("DATA_LOSS", `the parameters arrived with digest ${arrived} instead of ${digest}`);
    params.load(landing.floats);
    reply({ kind: "loaded", id });
  };

  const sample = async (id: number, from: number, to: number) => {
    const started = performance.now();
    const indices = Array.from({ length: to - from }, (_, k) => from + k);
    const pixels = await generate({
      ...spec.sampling,
      indices,
      ...(heldOut ? drawnFrom(heldOut, from, to) : askedOf(indices)),
      seed: spec.seed,
      onStep: (done, total) =>
        reply({ kind: "progress", id, done: Math.floor((done / total) * (to - from)), seconds: 0 }),
    });
    reply({ kind: "sample", id, pixels, seconds: { compute: (performance.now() - started) / 1000 } });
  };

  reply({ kind: "ready", id, backend: backend.name, device: backend.device, layout, landing: landing.floats });
  return (request) => {
    switch (request.kind) {
      case "open":
        throw new PlumeError("INTERNAL", "the compute thread is open already");
      case "canary":
        return canary(request.id);
      case "load":
        return load(request.id, request.digest);
      case "gradient":
        return gradient(request);
      case "sample":
        return sample(request.id, request.from, request.to);
      case "release": {
        const vector = lent.get(request.id);
        lent.delete(request.id);
        if (vector) heap.release(vector);
        return;
      }
      default:
        request satisfies never;
    }
  };
}

function errorReply(id: number, error: unknown): ComputeReply {
  const known = error instanceof PlumeError;
  const message = error instanceof Error ? (known ? error.message : (error.stack ?? error.message)) : String(error);
  return {
    kind: "error",
    id,
    code: known ? error.code : "INTERNAL",
    message,
    remedy: known ? error.remedy : undefined,
  };
}

// One request at a time, in the order asked.
let handle: Handler | null = null;
let queue: Promise<void> = Promise.resolve();
port.on("message", (request: ComputeRequest) => {
  queue = queue
    .then(async () => {
      if (handle) return handle(request);
      invariant(request.kind === "open", "the first request opens the device");
      handle = await open(request.id, request.init);
    })
    .catch((error) => reply(errorReply(request.id, error)));
});
