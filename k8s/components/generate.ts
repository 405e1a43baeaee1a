// What components have from elsewhere: npm run gen:components writes Prometheus' rules and Grafana's dashboards as objects of a
// cluster, --check exits 1 when they are not what would be written.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse, stringify } from "yaml";

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const source = (name: string): string => readFileSync(here(`../../deploy/${name}`), "utf8");

const head = (from: string): string => `# Generated from ${from} by npm run gen:components.\n`;

interface Rules {
  readonly groups: readonly object[];
}

const rulesObject = (files: readonly string[]): object => ({
  apiVersion: "monitoring.coreos.com/v1",
  kind: "PrometheusRule",
  metadata: { name: "plume", labels: { "app.kubernetes.io/name": "plume-monitoring" } },
  spec: { groups: files.flatMap((file) => (parse(source(`prometheus/${file}`)) as Rules).groups) },
});

/** @param name of a file in deploy/grafana: plume-run.json */
const dashboardObject = (name: string): object => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: {
    name: `plume-dashboard-${name.replace(/^plume-|\.json$/g, "")}`,
    labels: { "app.kubernetes.io/name": "plume-monitoring", grafana_dashboard: "1" },
    annotations: { grafana_folder: "plume" },
  },
  // Without the spaces it is half as long: the annotation of `kubectl apply` holds no more than 256 KiB.
  data: { [name]: JSON.stringify(JSON.parse(source(`grafana/${name}`))) },
});

const yaml = (objects: readonly object[]): string =>
  objects.map((object) => stringify(object, { lineWidth: 0 })).join("---\n");

const files = (): ReadonlyMap<string, string> =>
  new Map([
    [
      "prometheus-operator/rules.yaml",
      head("deploy/prometheus") + yaml([rulesObject(["recording.yml", "alerts.yml"])]),
    ],
    [
      "grafana/dashboards.yaml",
      head("deploy/grafana") + yaml(["plume-run.json", "plume-fleet.json"].map(dashboardObject)),
    ],
  ]);

function main(check: boolean): number {
  for (const [name, text] of files()) {
    if (!check) writeFileSync(here(name), text);
    else if (readFileSync(here(name), "utf8") !== text) {
      process.stderr.write(`k8s/components/${name} is not what its source says; run npm run gen:components\n`);
      return 1;
    }
  }
  return 0;
}

process.exitCode = main(process.argv.includes("--check"));
