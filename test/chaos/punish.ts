// The punisher: while one job runs, its workers, its coordinator and its network fail again and again, in an order that
// a seed decides. At the end the run must have the bits of a calm one.

import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { credentials } from "@grpc/grpc-js";
import { ControlServiceClient, type WatchResponse } from "../../proto/gen/plume/v1/control.ts";
import type { RunEvent } from "../../shared/bus/events.ts";
import { percentile } from "../../shared/data/histogram.ts";
import { PURPOSE, uniforms } from "../../shared/rng/stream.ts";
import { ownConnection } from "../../shared/rpc/transport.ts";
import { readRunLock } from "../../shared/run-lock/lock.ts";
import { readSummary, type Summary } from "../../shared/summary.ts";
import { type FaultProxy, startFaultProxy } from "../support/fault-proxy.ts";
import { plume, startPlume } from "../support/plume.ts";
import { freePort, pause, processesOf } from "../support/processes.ts";
import { FAULT_KINDS, FAULTS, type FaultKind } from "./faults.ts";

export interface PlannedFault {
  /** Seconds after the fault before it has been recovered from. */
  readonly afterSeconds: number;
  readonly kind: FaultKind;
  /** A share of the workers' number: which one. */
  readonly target: number;
  /** Seconds that a frozen process sleeps, or packets are lost. */
  readonly lasts: number;
}

/** Fault k of a seed: the same whatever happened before it. */
export function plannedFault(seed: number, k: number, everySeconds: number, kinds: readonly FaultKind[]): PlannedFault {
  const [wait, kind, target, lasts] = uniforms({ seed, purpose: PURPOSE.punish, step: 0, index: k }, 4);
  return {
    afterSeconds: everySeconds * (0.5 + wait!),
    kind: kinds[Math.floor(kind! * kinds.length)]!,
    target: target!,
    lasts: 0.5 + 2.5 * lasts!,
  };
}

export interface PunishOptions {
  readonly jobFile: string;
  readonly out: string;
  readonly workers: number;
  /** Injected at most; the job may end before. */
  readonly faults: number;
  readonly everySeconds: number;
  readonly seed: number;
  readonly kinds: readonly FaultKind[];
  readonly args: readonly string[];
  /** The job ends with its last fault instead of with its last step. Needs a learning rate that does not depend on the steps. */
  readonly stopAfter: boolean;
  /** summary.json of the same job without faults, when it is known already. */
  readonly calm?: string | undefined;
  readonly onNote: (line: string) => void;
}

export interface Injected {
  readonly kind: FaultKind;
  readonly target: string;
  readonly atStep: number;
  /** From the fault to the next step that was not committed before; null when the job ended first. */
  readonly seconds: number | null;
}

export interface Punished {
  readonly injected: readonly Injected[];
  readonly summary: Summary;
  /** The job without faults. */
  readonly calm: Summary;
  readonly same: boolean;
  readonly auditOk: boolean;
}

export async function punish(options: PunishOptions): Promise<Punished> {
  const { jobFile, out, workers, args } = options;
  const run = join(out, "run");
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const port = await freePort();
  await using proxy = await startFaultProxy(`127.0.0.1:${port}`);
  const running = startPlume([
    ...["train", "-f", jobFile, "--out", run, "--workers", String(workers)],
    ...["--listen", `127.0.0.1:${port}`, "--advertise", proxy.address, "--max-restarts", "1000", ...args],
  ]);
  let ended = false;
  const finished = running.finished.then((result) => {
    ended = true;
    return result;
  });
  const clock = watchSteps(run, () => ended);
  const injected = await inject(options, run, proxy, clock, () => ended);
  if (options.stopAfter && !ended) await plume("ctl", "stop", run);
  const { code, stderr } = await finished;
  if (code !== 0 || !existsSync(join(run, "summary.json")))
    throw new Error(`the punished run ended with ${code}\n${stderr.slice(-4000)}`);
  const summary = readSummary(join(run, "summary.json"));
  const { code: audit } = await plume("audit", run);

  const calm = options.calm ? readSummary(options.calm) : await calmRun(options, summary.steps);
  const same = calm.weightsSha256 === summary.weightsSha256 && calm.emaSha256 === summary.emaSha256;
  return { injected, summary, calm, same, auditOk: audit === 0 };
}

/** The same steps without faults. */
async function calmRun(
  { jobFile, out, workers, args, stopAfter, onNote }: PunishOptions,
  steps: number,
): Promise<Summary> {
  onNote(`the same ${steps} steps without faults`);
  const run = join(out, "calm");
  const ended = await plume(
    ...["train", "-f", jobFile, "--out", run, "--workers", String(workers), ...args],
    ...(stopAfter ? ["--steps", String(steps)] : []),
  );
  if (ended.code !== 0) throw new Error(`the calm run ended with ${ended.code}\n${ended.stderr.slice(-2000)}`);
  return readSummary(join(run, "summary.json"));
}

interface StepClock {
  /** Steps committed so far; a step that is computed again after a crash counts once. */
  readonly step: number;
  /** Resolves with the time at which a step beyond `step` is committed, or null when the run ends first. */
  beyond(step: number): Promise<number | null>;
}

/** Follows the events of a run across incarnations. */
function watchSteps(run: string, ended: () => boolean): StepClock {
  let newest = 0;
  let waiting: { step: number; resolve: (at: number | null) => void }[] = [];
  const settle = (at: number | null) => {
    const over = waiting.filter(({ step }) => at === null || newest > step);
    waiting = waiting.filter((each) => !over.includes(each));
    for (const { resolve } of over) resolve(at);
  };
  const follow = async () => {
    while (!ended()) {
      const address = readRunLock(run)?.record.address;
      if (!address) {
        await pause(20);
        continue;
      }
      const client = new ControlServiceClient(address, credentials.createInsecure(), ownConnection);
      try {
        for await (const { event } of client.watch({}) as AsyncIterable<WatchResponse>) {
          const parsed = JSON.parse(event) as RunEvent;
          if (parsed.kind !== "step" || parsed.step + 1 <= newest) continue;
          newest = parsed.step + 1;
          settle(performance.now());
        }
      } catch {
        // The coordinator is gone; the next one is watched as soon as it listens.
      } finally {
        client.close();
      }
      await pause(20);
    }
    settle(null);
  };
  void follow();
  return {
    get step() {
      return newest;
    },
    beyond: (step) => (ended() ? Promise.resolve(null) : new Promise((resolve) => waiting.push({ step, resolve }))),
  };
}

async function inject(
  { faults, everySeconds, seed, kinds, workers, onNote }: PunishOptions,
  run: string,
  proxy: FaultProxy,
  clock: StepClock,
  ended: () => boolean,
): Promise<Injected[]> {
  const injected: Injected[] = [];
  await clock.beyond(1);
  for (let k = 0; k < faults && !ended(); k++) {
    const { afterSeconds, kind, target: share, lasts } = plannedFault(seed, k, everySeconds, kinds);
    for (let left = afterSeconds; left > 0 && !ended(); left -= 0.1) await pause(100 * Math.min(1, left * 10));
    if (ended()) break;
    const fault = FAULTS[kind];
    const worker = `worker-${Math.floor(share * workers)}`;
    const pid =
      fault.target === "worker"
        ? processesOf(run).find(({ args }) => args.includes(worker))?.pid
        : readRunLock(run)?.record.pid;
    if (pid === undefined || (await isLastMoment(run, clock))) continue;
    const atStep = clock.step;
    const started = performance.now();
    const target = fault.target === "worker" ? worker : fault.target;
    const lift = fault.strike(pid, proxy);
    const committed = clock.beyond(atStep);
    if (lift) {
      await pause(1000 * lasts);
      lift();
    }
    const at = await committed;
    const seconds = at === null ? null : (at - started) / 1000;
    injected.push({ kind, target, atStep, seconds });
    onNote(
      `${k + 1}/${faults}  step ${atStep}  ${kind} (${target})  ${seconds === null ? "the job ended" : `next commit after ${seconds.toFixed(2)} s`}`,
    );
  }
  return injected;
}

/** A fault in the last breath of a job measures nothing. */
async function isLastMoment(run: string, clock: StepClock): Promise<boolean> {
  return !existsSync(join(run, "coordinator.json")) || clock.step === 0;
}

export interface KindRow {
  readonly kind: FaultKind;
  readonly n: number;
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
}

export function rowsOf(injected: readonly Injected[]): KindRow[] {
  return FAULT_KINDS.flatMap((kind) => {
    const seconds = secondsOf(injected, kind);
    if (seconds.length === 0) return [];
    return [
      {
        kind,
        n: seconds.length,
        p50: percentile(seconds, 50),
        p95: percentile(seconds, 95),
        max: Math.max(...seconds),
      },
    ];
  });
}

export const secondsOf = (injected: readonly Injected[], kind: FaultKind): number[] =>
  injected.flatMap((fault) => (fault.kind === kind && fault.seconds !== null ? [fault.seconds] : []));
