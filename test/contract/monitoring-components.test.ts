// What k8s/components gives to a prometheus-operator and a Grafana: the rules, labels and dashboards of deploy, by Prometheus' own word.

import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse, parseAllDocuments, stringify } from "yaml";
import { ROOT } from "../../shared/root.ts";
import { scratchFolder } from "../support/plume.ts";
import { promtool, startPrometheus } from "../support/prometheus-server.ts";

const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

interface Rules {
  readonly groups: readonly { readonly name: string; readonly rules: readonly object[] }[];
}

interface Endpoint {
  readonly port: string;
  readonly path: string;
  readonly honorLabels: boolean;
  readonly relabelings: readonly Readonly<Record<string, unknown>>[];
}

const monitor = parse(read("k8s/components/prometheus-operator/pod-monitor.yaml"), { merge: true }) as {
  readonly spec: { readonly podMetricsEndpoints: readonly Endpoint[] };
};

/** sourceLabels to source_labels, as the prometheus-operator writes them into Prometheus' configuration. */
const relabelConfig = (relabeling: Readonly<Record<string, unknown>>): object =>
  Object.fromEntries(
    Object.entries(relabeling).map(([key, value]) => [key.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`), value]),
  );

/** What Prometheus' discovery says of a pod. */
const discovered = (target: string, name: string, labels: Readonly<Record<string, string>>): object => ({
  targets: [target],
  labels: {
    __meta_kubernetes_pod_name: name,
    ...Object.fromEntries(
      Object.entries(labels).map(([key, value]) => [`__meta_kubernetes_pod_label_app_kubernetes_io_${key}`, value]),
    ),
  },
});

describe("the component prometheus-operator", () => {
  it("has every rule of deploy/prometheus, and Prometheus reads them", () => {
    using scratch = scratchFolder();
    const { spec } = parse(read("k8s/components/prometheus-operator/rules.yaml")) as { readonly spec: Rules };
    const sources = ["recording.yml", "alerts.yml"].map((name) => parse(read(`deploy/prometheus/${name}`)) as Rules);
    expect(spec.groups).toEqual(sources.flatMap(({ groups }) => groups));
    writeFileSync(scratch.file("rules.yml"), stringify(spec));
    const count = spec.groups.flatMap(({ rules }) => rules).length;
    expect(promtool("check", "rules", scratch.file("rules.yml"))).toContain(`SUCCESS: ${count} rules found`);
  });

  it("names what is scraped as alerts and dashboards ask for it, whether it answers or not", async () => {
    const worker = 'plume_worker_busy_ratio{training_job="cats",worker="cats-worker-0"} 1\n';
    await using server = createServer((_, response) => {
      response.setHeader("content-type", "text/plain");
      response.end(worker);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const target = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const [endpoint] = monitor.spec.podMetricsEndpoints;
    const config = {
      global: { scrape_interval: "1s" },
      scrape_configs: [
        {
          job_name: "training/plume",
          metrics_path: endpoint!.path,
          honor_labels: endpoint!.honorLabels,
          relabel_configs: endpoint!.relabelings.map(relabelConfig),
          static_configs: [
            discovered("127.0.0.1:9", "cats-coordinator-0", { instance: "cats", component: "coordinator" }),
            discovered(target, "cats-worker-0", { instance: "cats", component: "worker" }),
            discovered("127.0.0.1:9", "plume-operator-7d4f", {}),
          ],
        },
      ],
    };
    await using prometheus = await startPrometheus(JSON.stringify(config), {});
    const job = "training/plume";
    const up = async () => {
      const series = await prometheus.query("up");
      return series.map(({ metric: { __name__: _, ...labels }, samples }) => [labels, samples[0]![1]]);
    };
    await expect.poll(up, { timeout: 30_000 }).toHaveLength(3);
    const coordinator = { job, component: "coordinator", training_job: "cats", instance: "cats-coordinator-0" };
    const ready = {
      job,
      component: "worker",
      training_job: "cats",
      worker: "cats-worker-0",
      instance: "cats-worker-0",
    };
    const all = await up();
    expect(all).toContainEqual([coordinator, 0]);
    expect(all).toContainEqual([ready, 1]);
    expect(all).toContainEqual([{ job, instance: "plume-operator-7d4f" }, 0]);
    await expect
      .poll(async () => (await prometheus.query("plume_worker_busy_ratio")).map(({ metric }) => metric), {
        timeout: 30_000,
      })
      .toEqual([{ __name__: "plume_worker_busy_ratio", ...ready }]);
  });

  it("looks at every port that a pod of plume has metrics on", () => {
    expect(monitor.spec.podMetricsEndpoints.map(({ port }) => port)).toEqual(["http", "metrics"]);
    const [first, second] = monitor.spec.podMetricsEndpoints;
    expect({ ...second, port: first!.port }).toEqual(first);
    const ports = ["base/coordinator.yaml", "base/worker.yaml", "operator/deployment.yaml"].flatMap((file) => {
      const [{ spec }] = parseAllDocuments(read(`k8s/${file}`)).map((each) => each.toJS());
      return spec.template.spec.containers[0].ports.map(({ name }: { name: string }) => name);
    });
    expect(ports).toEqual(["grpc", "http", "metrics", "metrics"]);
  });
});

it("the component grafana has each dashboard of deploy/grafana, for the sidecar to find", () => {
  const maps = parseAllDocuments(read("k8s/components/grafana/dashboards.yaml")).map((each) => each.toJS());
  expect(maps.flatMap(({ data }) => Object.keys(data))).toEqual(["plume-run.json", "plume-fleet.json"]);
  for (const { metadata, data } of maps) {
    expect(metadata.labels.grafana_dashboard).toBe("1");
    for (const [name, text] of Object.entries(data as Record<string, string>)) {
      expect(JSON.parse(text)).toEqual(JSON.parse(read(`deploy/grafana/${name}`)));
      // What `kubectl apply` keeps of an object is an annotation, of so many bytes at most.
      expect(JSON.stringify(text).length).toBeLessThan(250_000);
    }
  }
});
