// What of a folder that plume wrote does not fit a job, where no config of diffusers says it.

import { describe, expect, it } from "vitest";
import { parseJob } from "../../shared/config/load.ts";
import { differencesOf } from "../../shared/interop/agree.ts";
import type { ModelFolder } from "../../shared/interop/read.ts";
import { unetConfig } from "../../shared/models/of-job.ts";
import { AUGMENT_WEIGHT } from "../../shared/models/unet-config.ts";

const BASE = ["data.imageSize=16", "model.channels=8", "model.groups=4"];
const GAN = ["model.type=dcgan", "diffusion.objective=hinge", "sampling.sampler=generator", "sampling.steps=1"];

const jobOf = (set: readonly string[]) =>
  parseJob("metadata: { name: tiny }\nspec: { data: { source: 'captions:64' } }", { set: [...BASE, ...set] });

function folderOf(set: readonly string[], ...names: readonly string[]): ModelFolder {
  const job = jobOf(set);
  const tensors = new Map(names.map((name) => [name, { name, shape: [1], values: new Float32Array(1) }]));
  const { diffusion } = job.spec;
  return { own: { job }, unet: unetConfig(job.spec, 3), diffusion, tensors } as unknown as ModelFolder;
}

describe("a folder of weights that plume wrote", () => {
  it.each([
    [["model.text.width=8"], ["model.text.width=16"], /^model\.text: .*"width":8.*"width":16/],
    [["model.text.width=8"], [], /^model\.text: .*"width":8.* the job null/],
    [["model.lowRes.size=8", "model.lowRes.noise=0.5"], ["model.lowRes.size=8"], /^model\.lowRes\.noise/],
    [[...GAN, "adversarial.latent=8"], GAN, /^adversarial\.latent: the folder has 8, the job 32/],
    [[...GAN, "adversarial.spectralNorm=true"], GAN, /^adversarial\.spectralNorm: the folder has true, the job false/],
  ])("of %j is refused for a job of %j, by its field", (theirs, ours, says) => {
    expect(differencesOf(jobOf(ours).spec, 3, folderOf(theirs))).toEqual([expect.stringMatching(says)]);
    expect(differencesOf(jobOf(theirs).spec, 3, folderOf(theirs))).toEqual([]);
  });

  it("that is told how images are augmented is refused where none are, and one that is not is taken where they are", () => {
    const told = folderOf(["data.augment=0.12"], AUGMENT_WEIGHT);
    expect(differencesOf(jobOf([]).spec, 3, told)).toEqual([expect.stringMatching(/^data\.augment/)]);
    expect(differencesOf(jobOf(["data.augment=0.5"]).spec, 3, told)).toEqual([]);
    expect(differencesOf(jobOf(["data.augment=0.5"]).spec, 3, folderOf([]))).toEqual([]);
  });
});
