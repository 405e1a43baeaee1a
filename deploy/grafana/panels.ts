// Panels of Grafana's classic dashboards, in the few forms that plume's have.

interface Target {
  readonly expr: string;
  readonly legend?: string;
}

/** Where a panel turns to another colour. With `alert` it is the threshold of that alert. */
interface Limit {
  readonly above?: number;
  readonly below?: number;
  readonly alert?: string;
}

interface PanelSource {
  readonly kind: "timeseries" | "stat" | "table";
  readonly title: string;
  readonly description: string;
  /** Grafana's name of it. */
  readonly unit: string;
  readonly targets: readonly Target[];
  readonly width: number;
  readonly stacked?: boolean;
  /** A ratio shown from 0 to 1, a count from 0. */
  readonly min?: number;
  readonly max?: number;
  readonly limit?: Limit;
  /** A stat that shows the series' names. */
  readonly names?: boolean;
  readonly decimals?: number;
}

export interface Row {
  readonly title: string;
  readonly panels: readonly PanelSource[];
}

const DATASOURCE = { type: "prometheus", uid: "$datasource" };
const WIDTH = 24;
const HEIGHT = { stat: 4, timeseries: 8, table: 9 } as const;

/** Rows under one another, panels from left to right as they fit. */
export function layOut(rows: readonly Row[]): object[] {
  let id = 0;
  let top = 0;
  return rows.flatMap(({ title, panels }) => {
    const row = {
      id: ++id,
      type: "row",
      title,
      collapsed: false,
      gridPos: { x: 0, y: top++, w: WIDTH, h: 1 },
      panels: [],
    };
    let x = 0;
    let tallest = 0;
    const placed = panels.map((source) => {
      const h = HEIGHT[source.kind];
      if (x + source.width > WIDTH) {
        top += tallest;
        x = 0;
        tallest = 0;
      }
      const gridPos = { x, y: top, w: source.width, h };
      x += source.width;
      tallest = Math.max(tallest, h);
      return panel(source, ++id, gridPos);
    });
    top += tallest;
    return [row, ...placed];
  });
}

function panel(source: PanelSource, id: number, gridPos: object): object {
  const { kind, title, description, targets } = source;
  return {
    id,
    type: kind,
    title,
    description,
    datasource: DATASOURCE,
    gridPos,
    fieldConfig: { defaults: defaultsOf(source), overrides: [] },
    options: optionsOf(source),
    targets: targets.map(({ expr, legend = "" }, index) => ({
      refId: String.fromCharCode(65 + index),
      datasource: DATASOURCE,
      editorMode: "code",
      expr,
      legendFormat: legend || "__auto",
      ...(kind === "timeseries" ? { range: true } : { instant: true }),
      ...(kind === "table" ? { format: "table" } : {}),
    })),
  };
}

function defaultsOf({ kind, unit, min, max, decimals, stacked, limit }: PanelSource): object {
  return {
    unit,
    noValue: "none yet",
    ...(min !== undefined && { min }),
    ...(max !== undefined && { max }),
    ...(decimals !== undefined && { decimals }),
    color: { mode: kind === "stat" ? "thresholds" : "palette-classic" },
    thresholds: thresholdsOf(limit),
    custom:
      kind === "timeseries"
        ? {
            drawStyle: "line",
            lineWidth: 1,
            fillOpacity: stacked ? 60 : 8,
            showPoints: "never",
            stacking: { mode: stacked ? "normal" : "none", group: "A" },
            thresholdsStyle: { mode: limit ? "line" : "off" },
          }
        : {},
  };
}

function thresholdsOf(limit: Limit | undefined): object {
  const steps =
    limit?.above !== undefined
      ? [
          { color: "green", value: null },
          { color: "red", value: limit.above },
        ]
      : limit?.below !== undefined
        ? [
            { color: "red", value: null },
            { color: "green", value: limit.below },
          ]
        : [{ color: "green", value: null }];
  return { mode: "absolute", steps };
}

function optionsOf({ kind, names }: PanelSource): object {
  if (kind === "timeseries")
    return {
      legend: { displayMode: "list", placement: "bottom", showLegend: true },
      tooltip: { mode: "multi", sort: "desc" },
    };
  if (kind === "table") return { showHeader: true };
  return {
    colorMode: "value",
    graphMode: "none",
    textMode: names ? "name" : "auto",
    reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false },
  };
}
