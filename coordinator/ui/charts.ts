// The four charts over steps, with their range, smoothing and scale.

import { SERIES, type SeriesName } from "../http/api.ts";
import { type Chart, createChart, type Line } from "./chart.ts";
import { byId, choice } from "./dom.ts";
import { lastStep, type Model } from "./model.ts";
import { bounds, type Range, zoomed } from "./range.ts";
import { smoothed } from "./smooth.ts";
import { color, workerColor } from "./theme.ts";

type Numbers = readonly (number | null)[];

interface Curves {
  readonly steps: readonly number[];
  readonly series: Readonly<
    Record<SeriesName, { readonly mean: Numbers; readonly low: Numbers; readonly high: Numbers }>
  >;
}

export interface Charts {
  draw(model: Model): void;
  recolor(): void;
}

const SMOOTHING = "plume-smoothing";
const RANGES = { all: "all", "1000": "last 1,000", "100": "last 100" } as const;

export function createCharts(model: Model, onRange: (range: Range) => void, redraw: () => void): Charts {
  const smoothing = byId<HTMLInputElement>("smoothing");
  const log = byId<HTMLInputElement>("log");
  smoothing.value = localStorage.getItem(SMOOTHING) ?? "0.9";
  smoothing.addEventListener("input", () => {
    localStorage.setItem(SMOOTHING, smoothing.value);
    redraw();
  });
  log.addEventListener("change", redraw);
  const press = choice(byId("ranges"), RANGES, (key) =>
    onRange(key === "all" ? { kind: "all" } : { kind: "last", steps: Number(key) }),
  );

  const shown = () => bounds(model.range, model.history?.first ?? 0, lastStep(model));
  const make = (id: string, name: string, unit = ""): Chart =>
    createChart({
      host: byId(id),
      readout: byId(`${id}-value`),
      name,
      unit,
      onZoom(zoom) {
        if (zoom === null) onRange({ kind: "all" });
        else if ("from" in zoom) onRange({ kind: "fixed", ...zoom });
        else onRange(zoomed(shown(), zoom.around, zoom.factor, model.history?.first ?? 0, lastStep(model)));
      },
    });
  const loss = make("loss", "Loss");
  const grad = make("grad", "Gradient norm");
  const lr = make("lr", "Learning rate");
  const throughput = make("throughput", "Throughput", " images/s");
  const all = [loss, grad, lr, throughput];

  return {
    draw() {
      const { range } = model;
      press(range.kind === "all" ? "all" : range.kind === "last" ? (String(range.steps) as keyof typeof RANGES) : null);
      const { steps, series } = curves(model, shown());
      const view = shown();
      const accent = () => color("--accent");
      const faint = () => color("--faint");
      const band = (name: SeriesName): Line[] => [
        { label: "high", role: "high", stroke: accent, width: 0, values: series[name].high },
        { label: "low", role: "low", stroke: accent, width: 0, values: series[name].low },
      ];
      const isLog = log.checked;
      const above = (values: Numbers) =>
        isLog ? values.map((value) => (value !== null && value > 0 ? value : null)) : values;
      const factor = Number(smoothing.value);
      const curve = smoothed(steps, series.loss.mean, factor);
      loss.draw(
        steps,
        [
          ...band("loss").map((line) => ({ ...line, values: above(line.values) })),
          {
            label: "loss",
            role: "faint",
            stroke: factor > 0 ? faint : accent,
            width: 1,
            values: above(series.loss.mean),
          },
          ...(factor > 0 ? [{ label: "smoothed", stroke: accent, width: 2, values: above(curve) }] : []),
        ],
        view,
        isLog,
      );
      const rate = smoothed(steps, series.imagesPerSecond.mean, factor);
      const plain = (label: string, name: SeriesName): Line => ({
        label,
        stroke: accent,
        width: 1.5,
        values: series[name].mean,
      });
      grad.draw(steps, [...band("gradNorm"), plain("norm", "gradNorm")], view);
      lr.draw(steps, [plain("lr", "lr")], view);
      throughput.draw(
        steps,
        [
          { label: "all", stroke: accent, width: 1.75, values: rate },
          ...perWorker(model, steps, series.imagesPerSecond.mean, factor),
        ],
        view,
      );
    },
    recolor() {
      for (const chart of all) chart.recolor();
    },
  };
}

/** What the server gave, and the steps since. */
function curves({ history, tail }: Model, [from, to]: readonly [number, number]): Curves {
  const newer = tail.filter(({ step }) => step >= from && step <= to);
  const empty = { mean: [], low: [], high: [] };
  const series = Object.fromEntries(
    SERIES.map((name) => {
      const { mean, low, high } = history?.series[name] ?? empty;
      const more = newer.map((event) => (Number.isFinite(event[name]) ? event[name] : null));
      return [name, { mean: [...mean, ...more], low: [...low, ...more], high: [...high, ...more] }];
    }),
  ) as unknown as Curves["series"];
  return { steps: [...(history?.steps ?? []), ...newer.map(({ step }) => step)], series };
}

/** Each worker's part of the throughput: by its micro-batches of the last step at hand. */
function perWorker({ columns, workers }: Model, steps: readonly number[], total: Numbers, factor: number): Line[] {
  if (workers.length < 2 || workers.length > 32) return [];
  const values = workers.map(() => [] as (number | null)[]);
  let at = 0;
  for (const [i, step] of steps.entries()) {
    while (at + 1 < columns.length && columns[at + 1]![0] <= step) at++;
    const shares = sharesOf(columns[at]?.[1] ?? [], workers.length);
    const rate = total[i] ?? null;
    for (const [w, share] of shares.entries()) values[w]!.push(rate === null ? null : rate * share);
  }
  return workers.map((name, w) => ({
    label: name,
    stroke: () => workerColor(name),
    width: 1.25,
    values: smoothed(steps, values[w]!, factor),
    isDetail: true,
  }));
}

export function sharesOf(blocks: readonly number[], workers: number): number[] {
  const held = new Array<number>(workers).fill(0);
  let all = 0;
  for (let i = 0; i < blocks.length; i += 3) {
    const size = blocks[i + 1]! - blocks[i]!;
    held[blocks[i + 2]!]! += size;
    all += size;
  }
  return all === 0 ? held : held.map((size) => size / all);
}
