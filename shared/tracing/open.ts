// The tracer of a process: OpenTelemetry's, loaded when the environment asks for it.

import { describeError } from "../errors.ts";
import { PLUME_VERSION } from "../version.ts";
import { type Attributes, noTracer, type Tracer } from "./tracer.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export interface TracerOptions {
  /** service.name, and what else names the process. */
  readonly service: string;
  readonly resource?: Attributes;
  /** Said once: spans cannot be sent. */
  readonly onFailure: (reason: string) => void;
  readonly env?: Environment;
}

/** Of what is kept on the way out; what is more is dropped. */
const MOST_SPANS = 4_096;
const EVERY_MS = 1_000;
/** At the end of the process. */
const FAREWELL_MS = 2_000;

/** OpenTelemetry's own variables. */
const isTraced = (env: Environment): boolean =>
  Boolean(env.OTEL_EXPORTER_OTLP_ENDPOINT || env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) &&
  env.OTEL_SDK_DISABLED !== "true" &&
  env.OTEL_TRACES_EXPORTER !== "none";

/** Finer than Date.now(), and never back: a part lies within its whole. */
const epochMs = (): number => performance.timeOrigin + performance.now();

export async function openTracer(options: TracerOptions): Promise<Tracer> {
  const env = options.env ?? process.env;
  if (!isTraced(env)) return noTracer;
  const [{ ROOT_CONTEXT, SpanStatusCode, trace, TraceFlags }, { BatchSpanProcessor, TracerProvider }, resources, otlp] =
    await Promise.all([
      import("@opentelemetry/api"),
      import("@opentelemetry/sdk-trace"),
      import("@opentelemetry/resources"),
      import("@opentelemetry/exporter-trace-otlp-http"),
    ]);
  const exporter = new otlp.OTLPTraceExporter();
  const send = exporter.export.bind(exporter);
  let isTold = false;
  const tell = (reason: string) => {
    if (!isTold) options.onFailure(reason);
    isTold = true;
  };
  exporter.export = (spans, done) =>
    send(spans, (result) => {
      if (result.error) tell(describeError(result.error));
      done(result);
    });
  const provider = new TracerProvider({
    resource: resources.resourceFromAttributes({
      "service.name": env.OTEL_SERVICE_NAME ?? options.service,
      "service.version": PLUME_VERSION,
      ...options.resource,
    }),
    spanProcessors: [new BatchSpanProcessor({ exporter, maxQueueSize: MOST_SPANS, scheduledDelayMillis: EVERY_MS })],
  });
  const tracer = provider.getTracer("plume", PLUME_VERSION);

  const parentOf = (context: string | undefined) => {
    const [, traceId, spanId] = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/.exec(context ?? "") ?? [];
    if (!traceId || !spanId) return ROOT_CONTEXT;
    return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true });
  };

  return {
    span(name, { parent, attributes, secondsAgo } = {}) {
      const startTime = epochMs() - 1000 * (secondsAgo ?? 0);
      const span = tracer.startSpan(name, { startTime, ...(attributes ? { attributes } : {}) }, parentOf(parent));
      const { traceId, spanId } = span.spanContext();
      return {
        context: `00-${traceId}-${spanId}-01`,
        end(error) {
          if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: describeError(error) });
          span.end(epochMs());
        },
      };
    },
    async [Symbol.asyncDispose]() {
      const late = new Promise<"late">((resolve) => setTimeout(resolve, FAREWELL_MS, "late").unref());
      const sent = provider.shutdown().catch((error) => tell(describeError(error)));
      if ((await Promise.race([sent, late])) === "late")
        tell(`the last ones were not taken within ${FAREWELL_MS / 1000} s`);
    },
  };
}
