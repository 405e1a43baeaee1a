// Grafana's dashboards from their source: npm run gen:dashboards writes the JSON files beside this one, --check exits 1 when
// they are not what would be written.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { FLEET_ROWS } from "./fleet-rows.ts";
import { HARDWARE_ROW } from "./hardware-row.ts";
import { LEARNING_ROWS } from "./learning-rows.ts";
import { OPERATION_ROWS } from "./operation-rows.ts";
import { layOut, type Row } from "./panels.ts";

interface DashboardSource {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly rows: readonly Row[];
  /** Names of workers to choose from. */
  readonly workers: boolean;
}

export const DASHBOARDS: readonly DashboardSource[] = [
  {
    uid: "plume-run",
    title: "plume / run",
    description: "One training job: does it learn, how fast, what broke and what was done about it.",
    rows: [...LEARNING_ROWS, ...OPERATION_ROWS, HARDWARE_ROW],
    workers: true,
  },
  {
    uid: "plume-fleet",
    title: "plume / fleet",
    description: "All training jobs at a glance.",
    rows: FLEET_ROWS,
    workers: false,
  },
];

const SOURCE = { type: "prometheus", uid: "$datasource" };
/** Rows of the schema of classic dashboards that Grafana 10 to 13 read. */
const SCHEMA_VERSION = 39;

const variable = (name: string, label: string, query: string) => ({
  type: "query",
  name,
  label,
  datasource: SOURCE,
  query: { query, refId: `variable-${name}` },
  definition: query,
  multi: true,
  includeAll: true,
  allValue: ".+",
  current: { selected: true, text: ["All"], value: ["$__all"] },
  refresh: 2,
  sort: 1,
});

/** The series' value is the moment, in milliseconds. */
const moment = (name: string, metric: string, iconColor: string) => ({
  name,
  datasource: SOURCE,
  enable: true,
  expr: `max by (training_job) (${metric}{job=~"$job",instance=~"$instance",training_job=~"$training_job"}) * 1000`,
  iconColor,
  step: "",
  titleFormat: `${name}: {{training_job}}`,
  useValueForTime: true,
});

function dashboard({ uid, title, description, rows, workers }: DashboardSource): object {
  return {
    id: null,
    uid,
    title,
    description,
    tags: ["plume"],
    schemaVersion: SCHEMA_VERSION,
    version: 1,
    editable: false,
    graphTooltip: 1,
    refresh: "30s",
    time: { from: "now-3h", to: "now" },
    timezone: "",
    annotations: {
      list: [
        moment("Scale", "plume_last_scale_timestamp_seconds", "blue"),
        moment("Membership", "plume_last_membership_change_timestamp_seconds", "orange"),
        moment("Checkpoint", "plume_checkpoint_last_success_timestamp_seconds", "green"),
      ],
    },
    templating: {
      list: [
        { type: "datasource", name: "datasource", label: "Data source", query: "prometheus", current: {}, refresh: 1 },
        variable("job", "Job", "label_values(plume_step, job)"),
        variable(
          "instance",
          "Instance",
          'label_values({__name__=~"plume_step|plume_worker_connected",job=~"$job"}, instance)',
        ),
        variable("training_job", "Training job", 'label_values(plume_step{job=~"$job"}, training_job)'),
        ...(workers
          ? [
              variable(
                "worker",
                "Worker",
                'label_values(plume_worker_heartbeat_age_seconds{job=~"$job",training_job=~"$training_job"}, worker)',
              ),
            ]
          : []),
      ],
    },
    panels: layOut(rows),
  };
}

/** File names beside this one, and what belongs into them. */
export const dashboardFiles = (): ReadonlyMap<string, string> =>
  new Map(DASHBOARDS.map((source) => [`${source.uid}.json`, `${JSON.stringify(dashboard(source), null, 2)}\n`]));

function main(check: boolean): number {
  for (const [name, text] of dashboardFiles()) {
    const file = fileURLToPath(new URL(name, import.meta.url));
    if (!check) writeFileSync(file, text);
    else if (readFileSync(file, "utf8") !== text) {
      process.stderr.write(`${file} is not what its source says; run npm run gen:dashboards\n`);
      return 1;
    }
  }
  return 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main(process.argv.includes("--check"));
