// The metrics of a run, as routes for whoever has a server.

import { isOver } from "../../shared/bus/events.ts";
import { createRegistry } from "../../shared/metrics/registry.ts";
import { monitoringRoutes, type Routes } from "../../shared/metrics/routes.ts";
import { RUN_COLLECTORS } from "../../shared/metrics/table.ts";
import type { RunView } from "../onlooker.ts";
import { targetsRoute } from "./targets.ts";

/**
 * GET /metrics, /healthz, /readyz and /targets. Listens to the run from now on.
 * @param lingers it answers after the end as well, and is ready for that.
 */
export function createMetrics(view: RunView, { lingers = false } = {}): { readonly routes: Routes } {
  const registry = createRegistry({
    collectors: RUN_COLLECTORS,
    context: view.context,
    labels: { training_job: view.job.metadata.name, component: "coordinator" },
  });
  view.bus.subscribe(registry.event);
  const { incarnation } = view;
  return {
    routes: {
      ...monitoringRoutes({
        render: () => registry.render({ incarnation, status: view.status(), facts: view.facts() }),
        unready() {
          const { phase, reason } = view.status();
          return isOver(phase) && !lingers ? `${phase}: ${reason}` : null;
        },
      }),
      "GET /targets": targetsRoute(view),
    },
  };
}
