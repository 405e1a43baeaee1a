// prom-client behind the contract: makes the instruments of collectors and renders what a scrape reads.

import * as prometheus from "prom-client";
import type { Collector, Counter, Feed, Gauge, Histogram, Metric } from "./metric.ts";

export interface MetricsText {
  readonly type: string;
  readonly body: string;
}

export interface MetricsRegistry<Snapshot, Event> {
  /** Hears of what happens. */
  event(event: Event): void;
  /** On every series of this process, from the next scrape on. */
  label(labels: Readonly<Record<string, string>>): void;
  /** What a scrape reads, at this moment. */
  render(snapshot: Snapshot): Promise<MetricsText>;
}

export interface RegistryOptions<Context, Snapshot, Event> {
  readonly collectors: readonly Collector<Context, Snapshot, Event>[];
  readonly context: Context;
  /** On every series of this process. */
  readonly labels: Readonly<Record<string, string>>;
}

/** Milliseconds between two looks at how late the event loop is. */
const LAG_EVERY_MS = 20;

export function createRegistry<Context, Snapshot, Event>({
  collectors,
  context,
  labels,
}: RegistryOptions<Context, Snapshot, Event>): MetricsRegistry<Snapshot, Event> {
  const registry = new prometheus.Registry();
  registry.setDefaultLabels(labels);
  prometheus.collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LAG_EVERY_MS });
  const feeds: readonly Feed<Snapshot, Event>[] = collectors.map((collector) => {
    const made = Object.entries(collector.metrics).map(([key, metric]) => [key, instrument(registry, metric)]);
    return collector.attach(Object.fromEntries(made), context);
  });
  return {
    event(event) {
      for (const feed of feeds) feed.event?.(event);
    },
    label: (next) => registry.setDefaultLabels(next),
    async render(snapshot) {
      for (const feed of feeds) feed.scrape?.(snapshot);
      return { type: registry.contentType, body: await registry.metrics() };
    },
  };
}

function instrument(register: prometheus.Registry, metric: Metric): Counter | Gauge | Histogram {
  const { name, help, labels, kind, buckets = [] } = metric;
  const common = { name, help, labelNames: Object.keys(labels), registers: [register] };
  switch (kind) {
    case "counter":
      return counterOf(new prometheus.Counter(common), labelSets(labels));
    case "gauge":
      return gaugeOf(new prometheus.Gauge(common));
    case "histogram": {
      const made = new prometheus.Histogram({ ...common, buckets: [...buckets] });
      for (const set of labelSets(labels)) made.zero(set);
      return { observe: (value, set = {}) => made.observe(set, value) };
    }
    default:
      return kind satisfies never;
  }
}

/** Every series is there from the first scrape on: what appears later with a value has not increased, to Prometheus. */
function counterOf(made: prometheus.Counter, sets: readonly Record<string, string>[]): Counter {
  for (const set of sets) made.inc(set, 0);
  return {
    add: (amount, set = {}) => made.inc(set, amount),
    total(value, set = {}) {
      made.remove(set);
      made.inc(set, value);
    },
    clear: () => made.reset(),
  };
}

function gaugeOf(made: prometheus.Gauge): Gauge {
  made.remove({});
  return {
    set(value, set = {}) {
      if (value === null) made.remove(set);
      else made.set(set, value);
    },
    clear: () => made.reset(),
  };
}

/** All combinations of the labels' values; none where one of them is open. */
function labelSets(labels: Metric["labels"]): readonly Record<string, string>[] {
  return Object.entries(labels).reduce<Record<string, string>[]>(
    (sets, [label, values]) => sets.flatMap((set) => (values ?? []).map((value) => ({ ...set, [label]: value }))),
    [{}],
  );
}
