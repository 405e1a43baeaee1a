// The cluster's API server as a pod sees it: its address in the environment, who we are in files that the kubelet renews.
// Read anew for each call, so that a token is used no longer than it lives.

import { readFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { PlumeError } from "../../shared/errors.ts";

export interface ClusterApi {
  readonly namespace: string;
  /** @throws PlumeError NOT_FOUND, FAILED_PRECONDITION when it is refused, UNAVAILABLE when it may work later. */
  get(path: string): Promise<unknown>;
  /** A JSON merge patch: null removes. @throws PlumeError as get(). */
  patch(path: string, change: object): Promise<unknown>;
}

const CREDENTIALS = "/var/run/secrets/kubernetes.io/serviceaccount";
const TIMEOUT_MS = 10_000;

/** @param folder of the service account's token, authority and namespace. @throws PlumeError INVALID_ARGUMENT outside a cluster. */
export function openClusterApi(folder = CREDENTIALS, environment = process.env): ClusterApi {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = environment;
  if (!host || !port)
    throw new PlumeError(
      "INVALID_ARGUMENT",
      "--scales needs a cluster, and this is none: KUBERNETES_SERVICE_HOST is not set",
      {
        remedy: "leave --scales out where no StatefulSet starts the workers",
      },
    );
  const call = async (method: "GET" | "PATCH", path: string, body?: object): Promise<unknown> => {
    const { status, text } = await exchange({
      method,
      host,
      port,
      path,
      ca: read(folder, "ca.crt"),
      headers: {
        accept: "application/json",
        authorization: `Bearer ${read(folder, "token").trim()}`,
        ...(body ? { "content-type": "application/merge-patch+json" } : {}),
      },
      body: body && JSON.stringify(body),
    });
    if (status >= 200 && status < 300) return JSON.parse(text);
    throw refused(`${method} ${path}`, status, text);
  };
  return {
    namespace: read(folder, "namespace").trim(),
    get: (path) => call("GET", path),
    patch: (path, change) => call("PATCH", path, change),
  };
}

function read(folder: string, name: string): string {
  try {
    return readFileSync(join(folder, name), "utf8");
  } catch (cause) {
    throw new PlumeError(
      "FAILED_PRECONDITION",
      `the pod has no token of a service account: ${(cause as Error).message}`,
      {
        remedy:
          "set serviceAccountName and automountServiceAccountToken in its template, as k8s/base/coordinator.yaml does",
        cause,
      },
    );
  }
}

interface Exchange {
  readonly method: string;
  readonly host: string;
  readonly port: string;
  readonly path: string;
  readonly ca: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

function exchange({ body, ...options }: Exchange): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) =>
      reject(new PlumeError("UNAVAILABLE", `the cluster's API server cannot be reached: ${cause.message}`, { cause }));
    const outgoing = request({ ...options, signal: AbortSignal.timeout(TIMEOUT_MS) }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("error", fail);
      incoming.on("end", () =>
        resolve({ status: incoming.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") }),
      );
    });
    outgoing.on("error", fail);
    outgoing.end(body);
  });
}

function refused(asked: string, status: number, text: string): PlumeError {
  const message = `the cluster's API server answers ${status} to ${asked}: ${reasonIn(text)}`;
  if (status === 404) return new PlumeError("NOT_FOUND", message, { remedy: "apply the job's manifests again" });
  if (status === 429 || status >= 500) return new PlumeError("UNAVAILABLE", message);
  return new PlumeError("FAILED_PRECONDITION", message, {
    remedy:
      status === 403
        ? "give the coordinator's Role what k8s/base/access.yaml gives it"
        : "see kubectl describe of that object",
  });
}

/** Of a Status object; of anything else the beginning. */
function reasonIn(text: string): string {
  try {
    return (JSON.parse(text) as { message?: string }).message ?? text.slice(0, 200);
  } catch {
    return text.slice(0, 200);
  }
}
