// One chart over steps: uPlot with plume's colours, a cursor shared by all charts, zoom by dragging and by keys.

import uPlot from "uplot";
import { count, number } from "./format.ts";
import { color } from "./theme.ts";

export interface Line {
  readonly label: string;
  readonly stroke: () => string;
  readonly width: number;
  readonly values: readonly (number | null)[];
  /** high and low of a band, drawn between them and not read out. */
  readonly role?: "high" | "low" | "faint";
  /** Read out where the cursor is, and not at rest. */
  readonly isDetail?: boolean;
}

export interface ChartOptions {
  readonly host: HTMLElement;
  readonly readout: HTMLElement;
  readonly name: string;
  readonly unit?: string;
  /** Dragged across, or asked for by keys; null: everything. */
  readonly onZoom: (
    zoom: { readonly around: number; readonly factor: number } | { readonly from: number; readonly to: number } | null,
  ) => void;
}

export interface Chart {
  draw(steps: readonly number[], lines: readonly Line[], shown: readonly [number, number], log?: boolean): void;
  recolor(): void;
}

const FONT = '11px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif';

export function createChart({ host, readout, name, unit = "", onZoom }: ChartOptions): Chart {
  let plot: uPlot | null = null;
  let built = "";
  let lines: readonly Line[] = [];
  let steps: readonly number[] = [];
  let shown: readonly [number, number] = [0, 1];

  const size = () => ({ width: Math.max(120, host.clientWidth), height: Math.max(80, host.clientHeight) });

  const read = (at: number | null | undefined) => {
    const isNow = at === null || at === undefined;
    const index = isNow ? steps.length - 1 : at;
    const step = steps[index];
    if (step === undefined) return readout.replaceChildren();
    const parts = lines
      .filter(({ role, isDetail }) => role !== "high" && role !== "low" && !(isNow && isDetail))
      .map(({ label, values }) => `${label} ${number(values[index])}`);
    readout.textContent = `${isNow ? "" : `step ${count(Math.round(step))}: `}${parts.join(", ")}${unit}`;
  };

  const build = (log: boolean) => {
    plot?.destroy();
    const high = lines.findIndex(({ role }) => role === "high") + 1;
    const low = lines.findIndex(({ role }) => role === "low") + 1;
    const axis = {
      stroke: () => color("--muted"),
      font: FONT,
      grid: { stroke: () => color("--grid"), width: 1 },
      ticks: { show: false },
    };
    plot = new uPlot(
      {
        ...size(),
        padding: [8, 10, 0, 0],
        legend: { show: false },
        cursor: {
          y: false,
          sync: { key: "steps", setSeries: false },
          drag: { x: true, y: false, setScale: false },
          points: { size: 6, width: 0 },
        },
        scales: {
          x: { time: false, range: () => [...shown] as [number, number] },
          y: { distr: log ? 3 : 1 },
        },
        axes: [
          {
            ...axis,
            size: 26,
            space: 64,
            values: (_, marks) => marks.map((mark) => (Number.isInteger(mark) ? count(mark) : "")),
          },
          {
            ...axis,
            size: 58,
            gap: 6,
            space: 34,
            values: (_, marks) => marks.map((mark) => (mark === null ? "" : axisNumber(mark))),
          },
        ],
        series: [
          {},
          ...lines.map(
            ({ role, stroke, width }): uPlot.Series => ({
              stroke: role === "high" || role === "low" ? "transparent" : stroke,
              width: role === "high" || role === "low" ? 0 : width,
              points: { show: false },
              spanGaps: false,
            }),
          ),
        ],
        bands: high > 0 && low > 0 ? [{ series: [high, low], fill: () => color("--band") }] : [],
        hooks: {
          setCursor: [(u) => read(u.cursor.idx)],
          setSelect: [
            (u) => {
              if (u.select.width < 4) return;
              const from = Math.max(0, Math.floor(u.posToVal(u.select.left, "x")));
              const to = Math.ceil(u.posToVal(u.select.left + u.select.width, "x"));
              u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
              onZoom({ from, to });
            },
          ],
        },
      },
      data(),
      host,
    );
    plot.over.addEventListener("dblclick", () => onZoom(null));
  };

  const data = () => [steps, ...lines.map(({ values }) => values)] as unknown as uPlot.AlignedData;

  new ResizeObserver(() => plot?.setSize(size())).observe(host);

  host.tabIndex = 0;
  host.setAttribute("role", "img");
  host.addEventListener("keydown", (event) => {
    if (!plot || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = plot.cursor.idx ?? steps.length - 1;
    const act: Record<string, () => void> = {
      ArrowLeft: () => move(plot!, steps, at - 1),
      ArrowRight: () => move(plot!, steps, at + 1),
      Home: () => move(plot!, steps, 0),
      End: () => move(plot!, steps, steps.length - 1),
      "+": () => onZoom({ around: steps[at] ?? 0, factor: 0.5 }),
      "=": () => onZoom({ around: steps[at] ?? 0, factor: 0.5 }),
      "-": () => onZoom({ around: steps[at] ?? 0, factor: 2 }),
      "0": () => onZoom(null),
      Escape: () => onZoom(null),
    };
    const chosen = act[event.key];
    if (!chosen) return;
    event.preventDefault();
    chosen();
  });

  return {
    draw(nextSteps, nextLines, nextShown, log = false) {
      [steps, lines, shown] = [nextSteps, nextLines, nextShown];
      const form = `${log} ${lines.map(({ label, role }) => `${label}/${role}`).join(" ")}`;
      if (form !== built || !plot) build(log);
      else plot.setData(data());
      built = form;
      if (plot?.cursor.idx === null || plot?.cursor.idx === undefined) read(null);
      const newest = lines.find(({ role }) => role === undefined)?.values.at(-1);
      host.setAttribute(
        "aria-label",
        `${name} over steps ${Math.round(shown[0])} to ${Math.round(shown[1])}, newest ${number(newest)}${unit}. Left and right move the cursor, plus and minus zoom, 0 shows all.`,
      );
    },
    recolor: () => plot?.redraw(false),
  };
}

function move(plot: uPlot, steps: readonly number[], index: number): void {
  const step = steps[Math.min(steps.length - 1, Math.max(0, index))];
  if (step !== undefined) plot.setCursor({ left: plot.valToPos(step, "x"), top: plot.over.clientHeight / 2 });
}

function axisNumber(x: number): string {
  const size = Math.abs(x);
  if (size >= 1e6) return `${(x / 1e6).toPrecision(3)}M`;
  if (size >= 1e4) return `${Number((x / 1e3).toPrecision(4))}k`;
  if (size !== 0 && size < 1e-4) return x.toExponential(1).replace("e-", "e−");
  return String(Number(x.toPrecision(4)));
}
