// The CLIP of a model that is told embeddings of images: what makes them of pictures.

import type { Backend } from "../../shared/backends/backend.ts";
import { readFrozen } from "../../shared/frozen/read.ts";
import type { LoadedModel } from "../../shared/interop/load-model.ts";
import { onDevice } from "../../shared/pipeline/frozen.ts";
import { createEmbedder, type Embedder } from "../../shared/pipeline/towers.ts";

/** Undefined for a model that is told none. @throws PlumeError that names models.clip. */
export async function openEmbedder({
  job: { spec },
  imageSet: { height, width, channels },
  backend,
}: LoadedModel & { readonly backend: Backend }): Promise<Embedder | undefined> {
  const { clip: named } = spec.models;
  if (!named) return undefined;
  const image = { height, width, channels };
  const { clip } = await readFrozen({ ...spec, models: { clip: named } }, image);
  return createEmbedder(await onDevice(clip!), image, backend.program);
}
