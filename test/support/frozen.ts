// A model in a store, as a run leaves one: for jobs that name it.

import { writeCheckpoint } from "../../shared/checkpoint/write.ts";
import { parseJob } from "../../shared/config/load.ts";
import type { Job } from "../../shared/config/schema.ts";
import { initialParameters } from "../../shared/nn/init.ts";
import { buildNetwork } from "../../shared/pipeline/network.ts";
import { fileStore } from "../../shared/store/file.ts";
import { buildLayout } from "../../shared/tensor/layout.ts";

export const IMAGES = { height: 8, width: 8, channels: 1 };

export const teacherJob = (...set: string[]): Job =>
  parseJob(
    `
metadata: { name: teacher }
spec:
  data: { source: "shapes:64", imageSize: 8, patch: 2 }
  model: { channels: 8, channelMult: [1, 2], groups: 4, classes: 10 }
  diffusion: { process: edm, predict: edm }
  sampling: { sampler: heun }`,
    { set },
  );

/** A checkpoint whose average is the fresh parameters of the job's seed, and whose parameters are those plus one. */
export async function writeModel(folder: string, step: number, job: Job, images = IMAGES) {
  const layout = buildLayout((await buildNetwork(job.spec, images)).params);
  const flat = initialParameters(layout, job.spec.seed);
  const shardOf = (from: Float32Array) => (index: number) => {
    const { offset, size } = layout.shards[index]!;
    return from.subarray(offset, offset + size);
  };
  const set = { name: "shapes:64", size: 64, digest: "d".repeat(64), classes: [], ...images };
  const vectors = { params: shardOf(flat.map((value) => value + 1)), ema: shardOf(flat) };
  await writeCheckpoint(fileStore(folder), { job, layout, step, set, vectors });
  return { layout, flat };
}
