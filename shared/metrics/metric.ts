// The contract: what a metric is, what may be done with one, and what a collector is: some metrics of one subject, with what
// fills them when something happens and when somebody scrapes.

export type MetricKind = "counter" | "gauge" | "histogram";

/** The values that a label can have; null where they are the names of workers or of the job's own choice. */
type LabelValues = readonly string[] | null;

export interface Metric {
  readonly kind: MetricKind;
  readonly name: `plume_${string}`;
  readonly help: string;
  readonly labels: Readonly<Record<string, LabelValues>>;
  /** Upper bounds of a histogram. */
  readonly buckets?: readonly number[];
}

type Labels = Readonly<Record<string, string>>;

export interface Counter {
  add(amount: number, labels?: Labels): void;
  /** What a plain counter elsewhere has come to; it must never go back. */
  total(value: number, labels?: Labels): void;
  /** Forgets all its series. */
  clear(): void;
}

export interface Gauge {
  /** null: there is none. */
  set(value: number | null, labels?: Labels): void;
  /** Forgets all its series. */
  clear(): void;
}

export interface Histogram {
  observe(value: number, labels?: Labels): void;
}

interface InstrumentOf {
  readonly counter: Counter;
  readonly gauge: Gauge;
  readonly histogram: Histogram;
}

export type Instruments<M extends Readonly<Record<string, Metric>>> = {
  readonly [K in keyof M]: InstrumentOf[M[K]["kind"]];
};

/** What a collector does once it has its instruments. */
export interface Feed<Snapshot, Event> {
  readonly event?: (event: Event) => void;
  readonly scrape?: (snapshot: Snapshot) => void;
}

export interface Collector<Context, Snapshot, Event> {
  readonly metrics: Readonly<Record<string, Metric>>;
  attach(instruments: Readonly<Record<string, Counter | Gauge | Histogram>>, context: Context): Feed<Snapshot, Event>;
}

/** Binds the types of a collector's metrics to what it does with them. */
export const collects =
  <Context, Snapshot, Event = never>() =>
  <M extends Readonly<Record<string, Metric>>>(
    metrics: M,
    attach: (instruments: Instruments<M>, context: Context) => Feed<Snapshot, Event>,
  ): Collector<Context, Snapshot, Event> => ({ metrics, attach: attach as never });

const metric =
  <K extends MetricKind>(kind: K) =>
  (name: Metric["name"], help: string, labels: Metric["labels"] = {}) => ({ kind, name, help, labels });

export const counter = metric("counter");
export const gauge = metric("gauge");

export const histogram = (
  name: Metric["name"],
  help: string,
  buckets: readonly number[],
  labels: Metric["labels"] = {},
) => ({ kind: "histogram" as const, name, help, labels, buckets });

/** Upper bounds in seconds, from a step of a toy to one of a large model. */
export const STEP_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];
/** Upper bounds in seconds of what takes long. */
export const LONG_SECONDS = [0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];
