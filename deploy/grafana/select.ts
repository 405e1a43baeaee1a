// Selectors of plume's series as the dashboards write them.

/** Of every panel: which Prometheus job and instance, and which of plume's jobs. */
const SCOPE = 'job=~"$job",instance=~"$instance"';

type Matchers = string;

/** A metric of the jobs that are shown. */
export const of = (metric: string, matchers: Matchers = ""): string =>
  `${metric}{${SCOPE},training_job=~"$training_job"${matchers && `,${matchers}`}}`;

/** A metric of the workers that are shown. */
export const ofWorkers = (metric: string, matchers: Matchers = ""): string =>
  of(metric, `worker=~"$worker"${matchers && `,${matchers}`}`);

/** Sum over everything but the job, and these labels. */
export const sumBy = (expr: string, ...labels: readonly string[]): string =>
  `sum by (${["training_job", ...labels].join(", ")}) (${expr})`;

export const maxBy = (expr: string, ...labels: readonly string[]): string =>
  `max by (${["training_job", ...labels].join(", ")}) (${expr})`;

/** By the second, over as long as the scrape interval asks for. */
export const rate = (selector: string): string => `rate(${selector}[$__rate_interval])`;
export const increase = (selector: string): string => `increase(${selector}[$__rate_interval])`;

export const perJob = (numerator: string, denominator: string): string =>
  `${numerator} / on (training_job) ${denominator}`;

export const quantile = (q: number, histogram: string, ...labels: readonly string[]): string =>
  `histogram_quantile(${q}, ${sumBy(rate(of(`${histogram}_bucket`)), "le", ...labels)})`;
