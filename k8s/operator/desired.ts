// What a DiffusionJob asks for: the job in it, and the objects that plume render would print of that job.

import { describeError } from "../../shared/errors.ts";
import { type DiffusionJobObject, jobOf } from "../crd/object.ts";
import { renderJob } from "../render/render.ts";
import { readTemplates, type Templates } from "../render/templates.ts";
import type { KubernetesObject } from "./objects.ts";
import type { Reading } from "./observed.ts";

/** A reader that renders a job anew only when it is another one: most passes look at the same. */
export function createReader(templates: Templates = readTemplates()) {
  const kept = new Map<string, { readonly generation: number | undefined; readonly reading: Reading }>();
  return {
    read(job: DiffusionJobObject): Reading {
      const { uid = "", generation } = job.metadata;
      const before = kept.get(uid);
      if (before && before.generation === generation) return before.reading;
      const reading = readJob(job, templates);
      kept.set(uid, { generation, reading });
      return reading;
    },
    forget: (uid: string) => void kept.delete(uid),
  };
}

export function readJob(object: DiffusionJobObject, templates: Templates): Reading {
  try {
    const job = jobOf(object);
    const { namespace = "default" } = object.metadata;
    return { kind: "valid", job, objects: renderJob(job, { namespace, templates }) as KubernetesObject[] };
  } catch (error) {
    return { kind: "invalid", message: describeError(error) };
  }
}
