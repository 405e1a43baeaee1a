// A run as onlookers see it, without a run: a real bus, a real log of events, a real desk; what the desk would do is noted.

import type { Commands } from "../../coordinator/control/commands.ts";
import { createDesk } from "../../coordinator/control/desk.ts";
import type { RunView } from "../../coordinator/onlooker.ts";
import { createBus } from "../../shared/bus/bus.ts";
import { openEventLog } from "../../shared/bus/event-log.ts";
import type { RunEvent, RunStatus } from "../../shared/bus/events.ts";
import { parseJob } from "../../shared/config/load.ts";
import type { StatusReport } from "../../shared/control/verbs.ts";
import { silentLog } from "../../shared/log.ts";
import { idleFacts } from "./run-facts.ts";

export interface TestRun {
  readonly view: RunView;
  publish(event: RunEvent): void;
  /** What a checkpoint waits for. */
  readonly before: { checkpoint?: Promise<void> };
  /** Commands that were carried out. */
  readonly done: string[];
  /** What it has warned of. */
  readonly warnings: string[];
}

export interface TestRunOptions {
  readonly folder: string;
  readonly name: string;
  /** Fields of the job's spec. */
  readonly spec?: object;
  readonly incarnation?: number;
  readonly status?: Partial<StatusReport>;
}

export const testJob = (name: string, spec: object = {}) =>
  parseJob(JSON.stringify({ metadata: { name }, spec: { data: { source: "shapes:256" }, ...spec } }));

export function openTestRun({ folder, name, spec, incarnation = 1, status = {} }: TestRunOptions): TestRun {
  const done: string[] = [];
  const warnings: string[] = [];
  const before: TestRun["before"] = {};
  const bus = createBus((error) => {
    throw error;
  });
  bus.subscribe((event) => void (event.kind === "warning" && warnings.push(event.message)));
  const events = openEventLog({
    file: `${folder}/events.ndjson`,
    incarnation,
    bus,
    epochMs: Date.now,
    onListenerError: (error) => {
      throw error;
    },
  });
  const note = <T>(what: string, answer: T): T => {
    done.push(what);
    return answer;
  };
  const commands: Omit<Commands, "adopt"> = {
    pause: () => note("pause", true),
    resume: () => note("resume", true),
    async checkpoint() {
      await before.checkpoint;
      return note("checkpoint", 7);
    },
    scale: (replicas) => note(`scale ${replicas}`, 1),
  };
  const report = (): StatusReport =>
    ({ job: name, phase: "Training", reason: "", step: 3, steps: 8, members: [], decisions: [], ...status }) as never;
  const stop = () => note("stop", true);
  const job = testJob(name, spec);
  const view: RunView = {
    job,
    incarnation,
    folder,
    status: (): RunStatus => report(),
    report,
    ...idleFacts(job.spec),
    warnings: [],
    bus,
    events,
    desk: createDesk({ commands, report, stop, bus }),
    log: silentLog,
  };
  return { view, publish: bus.publish, before, done, warnings };
}
