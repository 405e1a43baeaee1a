// The kubelet's few calls of the API server.

import { KubeConfig } from "@kubernetes/client-node";
import { type Api, ApiError, createApi } from "../../../../k8s/operator/api.ts";
import { PlumeError } from "../../../../shared/errors.ts";
import type { List } from "./objects.ts";

export interface Client {
  list<T>(path: string): Promise<readonly T[]>;
  /** @returns null when there is none. */
  get<T>(path: string): Promise<T | null>;
  post<T>(path: string, body: object): Promise<T>;
  /** A JSON merge patch. @returns null when the object is gone. */
  patch<T>(path: string, body: object): Promise<T | null>;
  delete(path: string, body: object): Promise<void>;
  close(): void;
}

export function createClient(kubeconfig: string): Client {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const api: Api = createApi({ config });
  const unlessGone = async <T>(act: () => Promise<T>): Promise<T | null> => {
    try {
      return await act();
    } catch (error) {
      // 409: it was deleted and made again since it was listed.
      if (error instanceof ApiError && (error.code === 404 || error.code === 409)) return null;
      throw error;
    }
  };
  return {
    list: async <T>(path: string) => (await api.call<List<T>>({ method: "GET", path })).items,
    get: (path) => unlessGone(() => api.call({ method: "GET", path })),
    post: (path, body) => api.call({ method: "POST", path, body }),
    patch: (path, body) =>
      unlessGone(() => api.call({ method: "PATCH", path, body, contentType: "application/merge-patch+json" })),
    delete: async (path, body) => void (await unlessGone(() => api.call({ method: "DELETE", path, body }))),
    close: () => api.close(),
  };
}

/** The API server is away, or says no now: the next round asks again. */
export const isPassing = (error: unknown): boolean =>
  error instanceof PlumeError || (error instanceof ApiError && (error.code >= 500 || error.code === 429));
