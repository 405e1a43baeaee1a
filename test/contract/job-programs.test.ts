// The jobs of deploy/jobs that read captions: their micro-batches as recorded programs of the backends that record, beside the same
// operations one by one. Runs of whole jobs are on one backend alone (test/e2e/zoo.test.ts).

import { readdirSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { openBackend } from "../../shared/backends/index.ts";
import { loadJob } from "../../shared/config/load.ts";
import type { JobSpec } from "../../shared/config/schema.ts";
import { openImageSet } from "../../shared/data/open.ts";
import { initialParameters } from "../../shared/nn/init.ts";
import { eagerProgram, type MakeProgram } from "../../shared/nn/program.ts";
import { openCaptions } from "../../shared/pipeline/captions.ts";
import { createDeviceParams } from "../../shared/pipeline/device-params.ts";
import { type FrozenWeights, openFrozen } from "../../shared/pipeline/frozen.ts";
import { createMicroBatch } from "../../shared/pipeline/micro-batch.ts";
import { buildNetwork } from "../../shared/pipeline/network.ts";
import { ROOT } from "../../shared/root.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";
import { expectOutcomes } from "./program-suite.ts";

const specOf = (job: string): JobSpec => loadJob(join(ROOT, "deploy/jobs", `${job}.yaml`), { set: [] }).spec;
const JOBS = readdirSync(join(ROOT, "deploy/jobs"))
  .map((file) => file.replace(/\.yaml$/, ""))
  .filter((job) => specOf(job).data.source.startsWith("captions:"));
/** The jobs of those that others name, and that teach them something. */
const NAMED = { clip: "clip", dvae: "dvae", text: "clip" } as const;

const image = { height: 16, width: 16, channels: 3 };

/** Not as fresh: a layer of zeros would hide what is before it. */
async function weightsOf(spec: JobSpec, seed: number) {
  const network = await buildNetwork(spec, image);
  const layout = buildLayout(network.params);
  return { network, layout, flat: initialParameters(layout, seed).map((w, k) => w + 0.02 * Math.sin(k)) };
}

async function frozenOf(job: string): Promise<FrozenWeights> {
  const spec = specOf(job);
  return { spec, image, flat: (await weightsOf(spec, 5)).flat };
}

/** Loss and gradient of two micro-batches. */
async function outcomes(job: string, program: MakeProgram) {
  const spec = specOf(job);
  const named = Object.keys(spec.models).filter((name): name is keyof typeof NAMED => name in NAMED);
  const weights = await Promise.all(named.map(async (name) => [name, await frozenOf(NAMED[name])] as const));
  const { text, ...beside } = Object.fromEntries(weights) as Partial<Record<keyof typeof NAMED, FrozenWeights>>;
  const { network, layout, flat } = await weightsOf(spec, 9);
  const frozen = await openFrozen(beside);
  const readCaptions = await openCaptions(spec, text, program);
  const compute = createMicroBatch(spec, network, layout, image, { program }, frozen, readCaptions);
  const params = createDeviceParams(layout);
  params.load(flat);
  const set = await openImageSet(spec.data, {});
  const found: { readonly loss: number; readonly gradient: Float32Array }[] = [];
  for (const step of [0, 1]) {
    const gradient = new Float32Array(layout.size);
    const samples = await set.read([0, 1, 2, 3].map((k) => 4 * step + k));
    found.push({ loss: await compute(params, { step, index: 1, ...samples }, gradient), gradient });
  }
  return found;
}

describe.each([
  ["wasm", 0],
  ["tfjs-node", 1e-4],
] as const)("on %s a recorded micro-batch", (name, tolerance) => {
  it.each(JOBS)("of %s gives what its operations give one by one", async (job) => {
    const { program } = await openBackend(name);
    const eager = await outcomes(job, (computation) => eagerProgram(tf, computation));
    const recorded = await outcomes(job, program);
    for (const { gradient } of eager) expect(gradient.some((value) => value !== 0)).toBe(true);
    expectOutcomes(recorded, eager, tolerance);
  });
});
