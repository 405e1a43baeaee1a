// How stores are reached: a group of the job.

import { z } from "zod";

export const storeSchema = z.strictObject({
  endpoint: z
    .url()
    .regex(/^https?:\/\/[^\s/?#]+/, "must be an http:// or https:// URL, such as https://minio.example:9000")
    .max(2048)
    .optional()
    .describe("URL of an S3 endpoint; AWS_ENDPOINT_URL_S3 or AWS's own when absent"),
  region: z.string().optional().describe("region of s3:// stores; AWS_REGION or the profile's when absent"),
  pathStyle: z
    .boolean()
    .optional()
    .describe("the bucket in the path instead of the host name; by default where an endpoint is given"),
  profile: z.string().optional().describe("profile of the AWS configuration files; AWS_PROFILE when absent"),
  timeoutSeconds: z.number().min(1).max(600).default(30).describe("no answer for so many seconds is a failed try"),
  unsafe: z
    .boolean()
    .default(false)
    .describe("use an s3:// store that does not honour If-None-Match: two runs may then overwrite each other"),
});
