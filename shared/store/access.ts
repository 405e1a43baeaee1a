// How a store is reached: what a URL does not say. Never a key or a secret: those come from the environment.

/** The job's spec.store; what is absent comes from the usual AWS environment and configuration files. */
export interface StoreAccess {
  /** URL of an S3 endpoint; AWS's own when absent. */
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  /** The bucket in the path instead of the host name; by default where an endpoint is given. */
  readonly pathStyle?: boolean | undefined;
  /** A profile of the AWS configuration files. */
  readonly profile?: string | undefined;
  /** No answer for so many seconds is a failed try. */
  readonly timeoutSeconds?: number | undefined;
  /** Use a store that lets several writers of one key win. */
  readonly unsafe?: boolean | undefined;
}

/** The job's, or the environment's; undefined for AWS's own. */
export const endpointOf = ({ endpoint }: StoreAccess, env: NodeJS.ProcessEnv = process.env): string | undefined =>
  endpoint ?? env.AWS_ENDPOINT_URL_S3 ?? env.AWS_ENDPOINT_URL;
