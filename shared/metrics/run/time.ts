// Where the wall time of a run went. Goodput is productive over all.

import { GOODPUT_STATES } from "../../bus/events.ts";
import { counter } from "../metric.ts";
import { ofRun } from "./source.ts";

export const time = ofRun(
  {
    seconds: counter(
      "plume_time_seconds_total",
      "Wall time by what it was spent on; goodput is productive over the sum. No reset when the coordinator restarts: the time without one is recovering. At most a second behind.",
      { state: GOODPUT_STATES },
    ),
  },
  (m) => ({
    scrape({ facts }) {
      for (const [state, seconds] of Object.entries(facts.secondsByState)) m.seconds.total(seconds, { state });
    },
  }),
);
