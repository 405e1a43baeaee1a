// Spans, as the code that is traced sees them.

export type Attributes = Readonly<Record<string, string | number>>;

export interface Span {
  /** W3C trace context, by which another process names this span as a parent; empty when nothing is traced. */
  readonly context: string;
  /** Once. What failed, if it did. */
  end(error?: unknown): void;
}

interface SpanStart {
  /** Context of the span that this is a part of; the span begins a trace when it is empty or absent. */
  readonly parent?: string;
  readonly attributes?: Attributes;
  /** It began so many seconds ago. */
  readonly secondsAgo?: number;
}

export interface Tracer extends AsyncDisposable {
  span(name: string, start?: SpanStart): Span;
}

const NO_SPAN: Span = { context: "", end: () => {} };

/** Where nothing is traced. */
export const noTracer: Tracer = { span: () => NO_SPAN, [Symbol.asyncDispose]: async () => {} };

/** Runs the body as a span. */
export async function traced<T>(span: Span, body: () => Promise<T>): Promise<T> {
  try {
    const result = await body();
    span.end();
    return result;
  } catch (error) {
    span.end(error);
    throw error;
  }
}
