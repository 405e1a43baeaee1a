// Whose run it is, and what it was asked to do.

import { VERBS } from "../../control/verbs.ts";
import { PLUME_VERSION } from "../../version.ts";
import { counter, gauge } from "../metric.ts";
import { ofRun } from "./source.ts";

const COMMANDS = Object.entries(VERBS).flatMap(([verb, { changes }]) => (changes ? [verb] : []));

export const control = ofRun(
  {
    incarnation: gauge(
      "plume_coordinator_incarnation",
      "Number of the coordinator's life in the run's folder, from 1.",
    ),
    commands: counter("plume_commands_total", "Commands that would change something, by what became of them.", {
      command: COMMANDS,
      result: ["done", "refused"],
    }),
    build: gauge("plume_build_info", "1; the version is its label.", { version: null }),
  },
  (m) => {
    m.build.set(1, { version: PLUME_VERSION });
    return {
      event(event) {
        if (event.kind !== "command" || !COMMANDS.includes(event.verb)) return;
        m.commands.add(1, { command: event.verb, result: event.outcome === "done" ? "done" : "refused" });
      },
      scrape({ incarnation }) {
        m.incarnation.set(incarnation);
      },
    };
  },
);
