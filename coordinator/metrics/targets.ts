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
function targetGroups({ job, workerTargets }: Pick<RunView, "job" | "workerTargets">, own: string): TargetGroup[] {
  const training_job = job.metadata.name;
  return [
    {
      targets: [own],
      labels: { training_job, component: "coordinator", instance: `${training_job}/coordinator` },
    },
    ...workerTargets().map(({ worker, address }) => ({
      targets: [address],
      labels: { training_job, component: "worker", worker, instance: `${training_job}/${worker}` },
    })),
  ];
}

export const targetsRoute =
  (view: Pick<RunView, "job" | "workerTargets">): Routes[string] =>
  ({ incoming, response }) => {
    const { localAddress, localPort } = incoming.socket;
    const own = incoming.headers.host ?? `${localAddress}:${localPort}`;
    reply(response, 200, "application/json", JSON.stringify(targetGroups(view, own)));
  };
