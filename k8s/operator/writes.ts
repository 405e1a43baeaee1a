// Server-side apply of objects and of their status, as the operator.

import { type Api, ApiError } from "./api.ts";
import { MANAGER } from "./drift.ts";
import { objectPath } from "./kinds.ts";
import type { KubernetesObject } from "./objects.ts";

const query = { fieldManager: MANAGER, force: "true" };
const contentType = "application/apply-patch+yaml";

export function writes(api: Api, signal: AbortSignal) {
  const apply = (path: string, body: object) =>
    api.call<KubernetesObject>({ method: "PATCH", path, query, contentType, body }, signal);
  return {
    /** @returns it as the server has it now. */
    applyObject: (object: KubernetesObject) => apply(objectPath(object), object),
    /** With the version that was looked at: what is decided on an older one is decided again. */
    async applyStatus<Status extends object>(object: KubernetesObject, status: Status): Promise<void> {
      const { apiVersion, kind } = object;
      const { name, namespace, uid = "", resourceVersion } = object.metadata;
      const metadata = { name, namespace, uid, resourceVersion };
      await apply(`${objectPath(object)}/status`, { apiVersion, kind, metadata, status });
    },
  };
}

/** What will be refused again, until somebody changes something. */
export const isMistake = (error: unknown): error is ApiError =>
  error instanceof ApiError && [400, 403, 422].includes(error.code);
