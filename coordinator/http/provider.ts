// Routes that others bring to the one server of a run.

import { type GuardedRoutes, needing } from "../../shared/http/guard.ts";
import type { Route } from "../../shared/http/server.ts";
import type { RunView } from "../onlooker.ts";

/** What a run shows or takes over the one server: metrics bring theirs, the page its own. */
export interface RouteProvider {
  routes(view: RunView): GuardedRoutes | Promise<GuardedRoutes>;
  /** The run is over; the server still answers. */
  close?(): void | Promise<void>;
}

/** Open to whoever reaches the port: health and metrics tell how a run goes, and nothing of what it is made of. */
export const openToAll = (routesOf: (view: RunView) => Readonly<Record<string, Route>>): RouteProvider => ({
  routes: (view) => needing("nothing", routesOf(view)),
});
