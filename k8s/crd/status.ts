// What the operator tells of a job: the status of a DiffusionJob. This schema is its only source: the type, and the part of
// the CRD that `kubectl explain dj.status` shows.

import { z } from "zod";
import { PHASES } from "../../shared/bus/events.ts";

/** The coordinator's own phases, and those in which no coordinator answers. */
const JOB_PHASES = ["Pending", ...PHASES, "Suspending", "Suspended", "Invalid"] as const;
export type JobPhase = (typeof JOB_PHASES)[number];

export const CONDITION_TYPES = [
  "CoordinatorReady",
  "WorkersReady",
  "Progressing",
  "Scaling",
  "Applied",
  "CheckpointsWritten",
  "Suspended",
  "Invalid",
  "Complete",
  "Failed",
] as const;

const count = z.int().min(0);
const instant = z.string().meta({ format: "date-time" });

/** Of an object that has conditions of these types. */
const conditionSchemaOf = (types: readonly string[]) =>
  z.strictObject({
    type: z.string().min(1).max(64).describe(types.join(", ")),
    status: z.enum(["True", "False", "Unknown"]).describe("whether it is so"),
    reason: z
      .string()
      .regex(/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/)
      .max(1024)
      .describe("why, in one word for programs"),
    message: z.string().max(32_768).describe("why, in words for people, with the remedy where there is one"),
    lastTransitionTime: instant.describe("when the status last changed"),
    observedGeneration: count.optional().describe("metadata.generation that it was judged by"),
  });

/** What `what` (a job, a pipeline) is told of. */
export const conditionsOf = (types: readonly string[], what: string) =>
  z
    .array(conditionSchemaOf(types))
    .max(32)
    .optional()
    .describe(`what is so of the ${what}, since when and why; kubectl wait --for=condition=Complete waits for one`);

const columnsSchema = z.strictObject({
  step: z.string().optional().describe("12400/50000"),
  loss: z.string().optional().describe("to four digits"),
  workers: z.string().optional().describe("ready/desired"),
  samplesPerSecond: z.string().optional().describe("to three digits"),
  eta: z.string().optional().describe("6h2m"),
});

export const statusSchema = z.strictObject({
  phase: z.enum(JOB_PHASES).optional().describe("what the job is doing"),
  observedGeneration: count.optional().describe("metadata.generation that this status was written for"),
  step: count.optional().describe("optimizer steps that are committed"),
  steps: count.optional().describe("optimizer steps that the job asks for"),
  loss: z.number().optional().describe("training loss of the newest committed step"),
  samplesPerSecond: z.number().min(0).optional().describe("training samples a second, of all workers"),
  etaSeconds: z.number().min(0).optional().describe("seconds until the last step, at the present speed"),
  workers: z
    .strictObject({
      replicas: count.optional().describe("worker processes that there are"),
      ready: count.optional().describe("of them, those that the coordinator gives work to"),
      desired: count.optional().describe("worker processes that are asked for"),
      selector: z.string().optional().describe("of the workers' pods; autoscalers read it"),
    })
    .optional()
    .describe("worker processes; scaling changes spec.workers.replicas"),
  checkpoint: z
    .strictObject({
      step: count.describe("the step that it holds"),
      time: instant.describe("when it was durable"),
      url: z.string().optional().describe("where it is: file:// or s3://"),
    })
    .optional()
    .describe("the newest durable checkpoint"),
  weightsSha256: z.string().optional().describe("digest of the final weights: the same at any number of workers"),
  emaSha256: z.string().optional().describe("digest of their average, which is what is drawn with and distilled"),
  columns: columnsSchema.optional().describe("what kubectl get shows, in few letters"),
  conditions: conditionsOf(CONDITION_TYPES, "job"),
});

export type Condition = z.infer<ReturnType<typeof conditionSchemaOf>>;
export type DiffusionJobStatus = z.infer<typeof statusSchema>;

/** What `kubectl get` shows of a status, in few letters. */
export function columnsOf(status: DiffusionJobStatus): z.infer<typeof columnsSchema> {
  const { step, steps, loss, samplesPerSecond, etaSeconds, workers } = status;
  return {
    ...(step !== undefined && { step: steps === undefined ? `${step}` : `${step}/${steps}` }),
    ...(loss !== undefined && { loss: digits(loss, 4) }),
    ...(workers?.ready !== undefined && { workers: `${workers.ready}/${workers.desired ?? workers.ready}` }),
    ...(samplesPerSecond !== undefined && { samplesPerSecond: digits(samplesPerSecond, 3) }),
    ...(etaSeconds !== undefined && { eta: duration(etaSeconds) }),
  };
}

/** 0.04123 of four digits; 1830, never 1.83e+3. */
function digits(value: number, most: number): string {
  const whole = Math.abs(value) >= 10 ** (most - 1);
  return whole ? value.toFixed(0) : `${Number(value.toPrecision(most))}`;
}

const UNITS = [
  ["d", 86_400],
  ["h", 3600],
  ["m", 60],
  ["s", 1],
] as const;

/** The two largest units of a span: 9s, 3m12s, 6h2m, 2d3h. */
function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const first = UNITS.findIndex(([, length]) => whole >= length);
  if (first < 0) return "0s";
  return UNITS.slice(first, first + 2)
    .map(([unit, length], i) => [Math.floor((i === 0 ? whole : whole % UNITS[first]![1]) / length), unit] as const)
    .filter(([n]) => n > 0)
    .map(([n, unit]) => `${n}${unit}`)
    .join("");
}
