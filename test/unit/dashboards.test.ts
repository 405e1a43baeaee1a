// Grafana's dashboards by the rules of Grafana's own linter for classic dashboards on Prometheus, which cannot be had
// everywhere, and by plume's: each rule is named as there. What their questions answer is test/chaos/metrics.test.ts' affair.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { DASHBOARDS } from "../../deploy/grafana/dashboards.ts";

const deploy = (path: string): string =>
  readFileSync(fileURLToPath(new URL(`../../deploy/${path}`, import.meta.url)), "utf8");

interface Target {
  readonly expr: string;
  readonly datasource: { readonly uid: string };
}

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description: string;
  readonly datasource: { readonly uid: string };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig: { readonly defaults: { readonly unit: string; readonly noValue: string } };
  readonly targets: readonly Target[];
}

interface Variable {
  readonly name: string;
  readonly type: string;
  readonly label: string;
  readonly query: unknown;
  readonly multi: boolean;
  readonly allValue: string;
  readonly refresh: number;
  readonly datasource: { readonly uid: string };
}

interface Dashboard {
  readonly id: null;
  readonly uid: string;
  readonly editable: boolean;
  readonly graphTooltip: number;
  readonly schemaVersion: number;
  readonly templating: { readonly list: readonly Variable[] };
  readonly panels: readonly Panel[];
}

/** Series of exporters that are not plume's: their jobs and instances are their own, and so are their labels. */
const OTHERS = /DCGM_FI_|kube_pod_/;

const dashboards = DASHBOARDS.map(({ uid }) => JSON.parse(deploy(`grafana/${uid}.json`)) as Dashboard);
const panelsOf = ({ panels }: Dashboard) => panels.filter(({ type }) => type !== "row");

describe.each(dashboards.map((each) => [each.uid, each] as const))("the dashboard %s", (_, dashboard) => {
  const panels = panelsOf(dashboard);
  const targets = panels.flatMap(({ title, targets: all }) => all.map((target) => ({ title, ...target })));
  const variable = (name: string) => dashboard.templating.list.find((each) => each.name === name);

  it("is provisioned under a fixed uid, and not edited in place (uneditable-dashboard)", () => {
    expect(dashboard).toMatchObject({ id: null, editable: false, graphTooltip: 1, schemaVersion: 39 });
  });

  it("lets one choose the data source, the job and the instance (template-datasource, -job, -instance)", () => {
    expect(variable("datasource")).toMatchObject({ type: "datasource", label: "Data source", query: "prometheus" });
    for (const [name, label] of [
      ["job", "Job"],
      ["instance", "Instance"],
      ["training_job", "Training job"],
    ])
      expect(variable(name!)).toMatchObject({
        type: "query",
        label,
        multi: true,
        allValue: ".+",
        datasource: { uid: "$datasource" },
      });
  });

  it("asks for the values of variables anew when the time range changes (template-on-time-change-reload)", () => {
    for (const { name, type, refresh } of dashboard.templating.list)
      if (type === "query") expect(refresh, name).toBe(2);
  });

  it("has panels with title, description, unit and words for no data (panel-title-description, panel-units)", () => {
    expect(panels.length).toBeGreaterThan(8);
    for (const { title, description, fieldConfig } of panels) {
      expect(title).not.toBe("");
      expect(description, title).toMatch(/\.$/);
      expect(fieldConfig.defaults.unit, title).toBeTruthy();
      expect(fieldConfig.defaults.noValue, title).toBeTruthy();
    }
  });

  it("asks the chosen data source, and asks something in every panel (panel-datasource, panel-no-targets)", () => {
    for (const { title, datasource, targets: all } of panels) {
      expect(all.length, title).toBeGreaterThan(0);
      for (const each of [datasource, ...all.map((target) => target.datasource)]) expect(each.uid).toBe("$datasource");
    }
  });

  it("names job and instance in every selector of plume's (target-job, target-instance)", () => {
    for (const { title, expr } of targets) {
      const selectors = [...expr.matchAll(/\b(\w+)\{([^}]*)\}/g)];
      expect(selectors.length, `${title}: ${expr}`).toBeGreaterThan(0);
      for (const [, metric, matchers] of selectors)
        expect(matchers, `${title}: ${metric}`).toContain(
          OTHERS.test(metric!)
            ? 'job=~".+",instance=~".+"'
            : 'job=~"$job",instance=~"$instance",training_job=~"$training_job"',
        );
    }
  });

  it("takes rates over the interval that fits the scrapes, and only rates of counters (target-rate-interval, target-counter-agg)", () => {
    for (const { title, expr } of targets) {
      for (const [, range] of expr.matchAll(/\[([^\]]+)\]/g)) expect(range, title).toBe("$__rate_interval");
      for (const [whole, before, metric] of expr.matchAll(/(\w*\(?)\b(\w+_(?:total|sum|count|bucket))\{/g))
        expect(["rate(", "increase("], `${title}: ${whole}${metric}`).toContain(before);
    }
  });

  it("lays panels side by side and under one another, never over one another", () => {
    const taken = new Set<string>();
    for (const {
      title,
      gridPos: { x, y, w, h },
    } of dashboard.panels) {
      expect(x + w, title).toBeLessThanOrEqual(24);
      for (let column = x; column < x + w; column++)
        for (let row = y; row < y + h; row++) {
          const cell = `${column}/${row}`;
          expect(taken.has(cell), `${title} at ${cell}`).toBe(false);
          taken.add(cell);
        }
    }
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  });
});

describe("the panels' thresholds", () => {
  const { groups } = parse(deploy("prometheus/alerts.yml")) as {
    groups: { rules: { alert: string; expr: string }[] }[];
  };
  const limits = DASHBOARDS.flatMap(({ rows }) => rows.flatMap(({ panels }) => panels)).flatMap(({ title, limit }) =>
    limit?.alert ? [{ title, ...limit, alert: limit.alert }] : [],
  );

  it.each(limits)("of $title is that of $alert", ({ alert, above, below }) => {
    const { expr } = groups.flatMap(({ rules }) => rules).find((rule) => rule.alert === alert)!;
    // A panel turns red at a value, an alert fires beyond it: "more than none" is as good as any value above 0.
    const threshold = above === 1e-9 ? "0" : `${above ?? below}`;
    // A share of what is wanted, and whether somebody answers: below all of it.
    const whole = below === 1 && /< on \(training_job\)|== 0/.test(expr);
    const compares = new RegExp(`[<>]=? (on \\(training_job\\) )?${threshold.replace(".", "\\.")}(?![\\d.])`);
    expect(whole || compares.test(expr), expr).toBe(true);
  });
});
