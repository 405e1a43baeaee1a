// The run's one HTTP server: the page, what it shows and takes, and what others bring (metrics, health). An onlooker: a run
// goes on the same without it.
//
// I1. Loopback alone without a token; elsewhere nothing but health, metrics and the page's own files is told without one.
// I2. A coordinator that takes another's place takes its port, so that open pages go on; if it cannot, it takes another one
//     and says so: the run does not end for it.

import type { Job } from "../../shared/config/schema.ts";
import { isLoopback } from "../../shared/http/access.ts";
import { type GuardedRoutes, guarded } from "../../shared/http/guard.ts";
import { pageRoutes } from "../../shared/http/page-files.ts";
import { type HttpServer, startHttp } from "../../shared/http/server.ts";
import { keepSecret } from "../../shared/secrets.ts";
import type { PageAddress } from "../../shared/supervision.ts";
import { PLUME_VERSION } from "../../shared/version.ts";
import type { Onlooker } from "../onlooker.ts";
import { pageFiles } from "../ui/build.mjs";
import { commandRoutes } from "./command-route.ts";
import { keptToken } from "./kept-token.ts";
import type { RouteProvider } from "./provider.ts";
import { runRoutes } from "./run-routes.ts";
import { openTrace, type Trace } from "./trace.ts";
import { createWatchers, type Watchers } from "./watchers.ts";

export interface SiteOptions {
  /** monitoring.token or PLUME_TOKEN; null when the user gave none. */
  readonly token: string | null;
  /** Where the page of this run was before a restart. */
  readonly port?: number;
  /** Instead of monitoring.host and monitoring.port. */
  readonly listen?: { readonly host: string; readonly port: number };
  readonly providers: readonly RouteProvider[];
  /** One of them draws images of the run. */
  readonly draws?: boolean;
}

export function createSite({ token: given, port: before, listen, providers, draws = false }: SiteOptions): Onlooker {
  let server: HttpServer | null = null;
  let parts: { readonly trace: Trace; readonly watchers: Watchers } | null = null;
  let page: PageAddress | null = null;
  let moved = "";
  let onError = (_error: unknown) => {};
  const place = (job: Job) => listen ?? job.spec.monitoring;

  return {
    get page() {
      return page;
    },

    async open(job) {
      const { host, port } = place(job);
      const start = (at: number) =>
        startHttp({
          host,
          port: at,
          field: "monitoring.port",
          names: given !== null || !isLoopback(host) ? "any" : [],
          onError: (error) => onError(error),
        });
      try {
        server = await start(before ?? port);
      } catch (error) {
        if (before === undefined) throw error;
        moved = (error as Error).message;
        server = await start(0);
      }
    },

    async attach(view) {
      const { log, bus, events, incarnation } = view;
      onError = (error) => log.error({ err: error }, "a request failed");
      if (moved) log.warn(`the page is on another port than before: ${moved}`);
      const token = given ?? (isLoopback(place(view.job).host) ? null : keptToken(view.folder));
      if (token !== null) keepSecret(token);
      const { url } = server!;
      page = { url, link: given === null && token !== null ? `${url}/#token=${token}` : url };
      log.info({ url }, "monitoring");
      const trace = openTrace(view);
      const watchers = createWatchers({
        bus,
        events,
        status: view.status,
        hello: { incarnation, version: PLUME_VERSION },
        onSlow: () => log.warn("somebody who watches was too slow and was cut"),
      });
      parts = { trace, watchers };
      const routes: GuardedRoutes[] = [
        await pageRoutes("page", () => pageFiles("page")),
        runRoutes(view, { trace, watchers, draws }),
        commandRoutes(view.desk),
      ];
      for (const provider of providers) routes.push(await provider.routes(view));
      for (const each of routes) server!.route(guarded(each, token));
    },

    async close() {
      await parts?.watchers.end();
      parts?.trace.close();
      for (const provider of providers) await provider.close?.();
      await server?.close();
      server = null;
    },
  };
}
