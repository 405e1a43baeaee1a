// The traces of steps: one a step, and what is done for it later is still a part of it.

import { type Span, type Tracer, traced } from "../../shared/tracing/tracer.ts";

interface StepTrace extends Disposable {
  /** @param body gets the context of its own span. */
  part<T>(name: string, body: (context: string) => Promise<T>): Promise<T>;
}

export interface StepTracer {
  begin(step: number): StepTrace;
  /** A checkpoint of this version was written, or failed, after so many seconds. */
  saved(version: number, seconds: number, error?: unknown): void;
}

/** Steps whose context is kept: a save takes a while. */
const KEPT = 256;

export function createStepTracer(tracer: Tracer, job: string, incarnation: number): StepTracer {
  const contexts = new Map<number, string>();
  const attributesOf = (step: number) => ({ "plume.job": job, "plume.incarnation": incarnation, "plume.step": step });

  const keep = (step: number, { context }: Span) => {
    if (context === "") return;
    contexts.set(step, context);
    if (contexts.size > KEPT) contexts.delete(contexts.keys().next().value!);
  };

  return {
    begin(step) {
      const attributes = attributesOf(step);
      const span = tracer.span("step", { attributes });
      keep(step, span);
      return {
        part(name, body) {
          const part = tracer.span(name, { parent: span.context, attributes });
          return traced(part, () => body(part.context));
        },
        [Symbol.dispose]: () => span.end(),
      };
    },
    saved(version, seconds, error) {
      const step = version - 1; // the last one that is in it
      const parent = contexts.get(step) ?? "";
      tracer.span("checkpoint", { parent, attributes: attributesOf(step), secondsAgo: seconds }).end(error);
    },
  };
}
