// A folder's tensors as a job's network wants them.

import { createHash } from "node:crypto";
import type { JobSpec } from "../config/schema.ts";
import { PlumeError } from "../errors.ts";
import type { ImageShape } from "../models/of-job.ts";
import { AUGMENT_WEIGHT } from "../models/unet-config.ts";
import { buildNetwork } from "../pipeline/network.ts";
import { buildLayout, type Layout } from "../tensor/layout.ts";
import { differencesOf, lacksNoLabel } from "./agree.ts";
import type { ModelFolder } from "./read.ts";

export interface FolderWeights {
  readonly layout: Layout;
  /** By name, each as large as the layout says. */
  readonly values: ReadonlyMap<string, Float32Array>;
  /** What summary.json calls weightsSha256 of a run with these weights. */
  readonly sha256: string;
}

const CLASS_ROWS = "class_embedding.weight";

/** @param image of the job's data set. @throws PlumeError FAILED_PRECONDITION with every difference, or naming a tensor. */
export async function weightsFor(spec: JobSpec, image: ImageShape, folder: ModelFolder): Promise<FolderWeights> {
  const differences = differencesOf(spec, image.channels, folder);
  if (differences.length > 0)
    throw new PlumeError(
      "FAILED_PRECONDITION",
      `${folder.path} is no model of this job:\n  ${differences.join("\n  ")}`,
      {
        remedy: "change the job's fields to the folder's, or take another folder",
      },
    );
  const layout = buildLayout((await buildNetwork(spec, image)).params);
  const values = new Map<string, Float32Array>();
  for (const { name, shape, size } of layout.tensors) {
    const there = folder.tensors.get(name);
    const added = name === CLASS_ROWS && lacksNoLabel(spec, folder) ? shape[1]! : 0;
    // The map of augmentations adds nothing until it is trained, and diffusers has none.
    if (!there && name === AUGMENT_WEIGHT) {
      values.set(name, new Float32Array(size));
      continue;
    }
    if (there?.values.length !== size - added)
      throw unlike(
        folder,
        `tensor ${name} ${there ? `is [${there.shape}]` : "is missing"}, the job's network wants [${shape}]`,
      );
    // The row of "no label" adds nothing until it is trained.
    const filled = new Float32Array(size);
    filled.set(there.values);
    values.set(name, filled);
  }
  const stray = [...folder.tensors.keys()].find((name) => !values.has(name));
  if (stray !== undefined) throw unlike(folder, `it has a tensor ${stray}, the job's network has not`);
  return { layout, values, sha256: weightsDigest(layout, values) };
}

const unlike = (folder: ModelFolder, what: string) =>
  new PlumeError("FAILED_PRECONDITION", `${folder.path} is no model of this job: ${what}`, {
    remedy: "take a folder whose weights are those of its own configs, as save_pretrained and plume write them",
  });

/** As coordinator/reporting/summary.ts digests a run's weights: names and values of all tensors in order. */
export function weightsDigest(layout: Layout, values: ReadonlyMap<string, Float32Array>): string {
  const hash = createHash("sha256");
  for (const { name } of layout.tensors) {
    const floats = values.get(name)!;
    hash.update(`${name}\n`).update(new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength));
  }
  return hash.digest("hex");
}
