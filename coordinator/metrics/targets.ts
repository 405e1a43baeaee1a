// Whom to scrape, in the form of Prometheus' http_sd_configs: this coordinator and every worker whose metrics it can reach.
//
// I1. An instance is named by what it is, not by its address: a process that comes back on another port makes no new series.

import { reply } from "../../shared/http/server.ts";
import type { Routes } from "../../shared/metrics/routes.ts";
import type { RunView } from "../onlooker.ts";

interface TargetGroup {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

/** @param own host:port under which this coordinator was asked: whoever found it there can scrape it there. */
function targetGroups(view: Targets, own: string): TargetGroup[] {
  const training_job = view.job.metadata.name;
  const host = own.slice(0, own.lastIndexOf(":"));
  const group = (component: string, name: string, address: string, labels = {}): TargetGroup => ({
    targets: [address],
    labels: { training_job, component, instance: `${training_job}/${name}`, ...labels },
  });
  return [
    group("coordinator", "coordinator", own),
    ...view.workerTargets().map(({ worker, address }) => group("worker", worker, address, { worker })),
    ...view.reducerMetrics.flatMap((port, k) =>
      port === 0 ? [] : [group("reducer", `reducer-${k}`, `${host}:${port}`, { reducer: `${k}` })],
    ),
  ];
}

type Targets = Pick<RunView, "job" | "workerTargets" | "reducerMetrics">;

export const targetsRoute =
  (view: Targets): Routes[string] =>
  ({ incoming, response }) => {
    const { localAddress, localPort } = incoming.socket;
    const own = incoming.headers.host ?? `${localAddress}:${localPort}`;
    reply(response, 200, "application/json", JSON.stringify(targetGroups(view, own)));
  };
