// What plume doctor says of S3: whether credentials and an endpoint are found, where, and whether the server answers. What
// they are is printed nowhere.

import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { describeError, PlumeError } from "../../shared/errors.ts";
import { endpointOf } from "../../shared/store/access.ts";
import { openStore } from "../../shared/store/open.ts";
import type { Finding } from "./finding.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const ANSWER_MS = 5_000;
const what = "S3";

/** @param url of a store that must be there, from the command line. */
export async function s3Finding(url: string | undefined, env: Environment = process.env): Promise<Finding> {
  if (url !== undefined) return storeFinding(url);
  const credentials = credentialsIn(env);
  if (credentials === null)
    return {
      what,
      state: "missing",
      detail: "no credentials in the environment or in a profile",
      remedy:
        "for s3:// stores set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; where the machine has a role, ask plume doctor --store s3://BUCKET",
    };
  const endpoint = endpointOf({}, env);
  if (!endpoint)
    return { what, state: "ok", detail: `${credentials}; plume doctor --store s3://BUCKET asks AWS`, remedy: null };
  return endpointFinding(credentials, endpoint);
}

/** Where the SDK will find them; the role of a machine shows only when it is asked for. */
function credentialsIn(env: Environment): string | null {
  if (env.AWS_ACCESS_KEY_ID && env.AWS_SECRET_ACCESS_KEY) return "keys from the environment";
  if (env.AWS_PROFILE) return `profile ${env.AWS_PROFILE}`;
  if (env.AWS_WEB_IDENTITY_TOKEN_FILE) return "a role by web identity";
  if (env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI || env.AWS_CONTAINER_CREDENTIALS_FULL_URI)
    return "a role of the container";
  const file = env.AWS_SHARED_CREDENTIALS_FILE ?? join(homedir(), ".aws/credentials");
  return existsSync(file) ? `the default profile of ${file}` : null;
}

/** Any answer will do: what it may read there is the bucket's affair. */
async function endpointFinding(credentials: string, endpoint: string): Promise<Finding> {
  // The origin leaves out a user name and a password.
  const origin = URL.canParse(endpoint) ? new URL(endpoint).origin : "AWS_ENDPOINT_URL_S3";
  try {
    await fetch(origin, { method: "HEAD", redirect: "manual", signal: AbortSignal.timeout(ANSWER_MS) });
    return { what, state: "ok", detail: `${credentials}; ${origin} answers`, remedy: null };
  } catch {
    const remedy = "correct AWS_ENDPOINT_URL_S3, or start the server";
    return { what, state: "missing", detail: `${credentials}; ${origin} does not answer`, remedy };
  }
}

async function storeFinding(url: string): Promise<Finding> {
  try {
    const listing = (await openStore(url)).list("")[Symbol.asyncIterator]();
    const { done } = await listing.next();
    await listing.return?.();
    return { what, state: "ok", detail: `${url} can be read${done ? " and is empty" : ""}`, remedy: null };
  } catch (error) {
    const remedy = error instanceof PlumeError ? (error.remedy ?? null) : null;
    return { what, state: "bad", detail: error instanceof PlumeError ? error.message : describeError(error), remedy };
  }
}
