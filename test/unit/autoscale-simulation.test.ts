// The wish for workers followed through whole runs in virtual time: deadlines are met, nothing flaps.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decideDesiredWorkers } from "../../coordinator/autoscale/decide.ts";

import type { StepTimes } from "../../coordinator/autoscale/sizes.ts";
import { createWish } from "../../coordinator/autoscale/wish.ts";
import type { RunEvent, RunStatus, Wish } from "../../shared/bus/events.ts";
import { parseJob } from "../../shared/config/load.ts";

// --- A run in virtual time: a machine with a serial part, shares of whole micro-batches and a network that grows with
// the workers, steps as noisy as a shared machine's, and an autoscaler that follows the wish after a while.

interface Machine {
  /** Seconds of a step with so many workers, without noise. */
  readonly seconds: (workers: number) => StepTimes;
  /** Standard deviation of the logarithm of a step's seconds. */
  readonly noise: number;
  /** Until workers that were asked for are there. */
  readonly lagSeconds: number;
}

interface Trace {
  /** Each wish, in its order. */
  readonly wishes: readonly Wish[];
  readonly seconds: number;
  readonly workerSeconds: number;
}

function simulate(
  machine: Machine,
  job: string,
  { steps, from, seed }: { steps: number; from: number; seed: number },
): Trace {
  const { spec } = parseJob(
    `metadata: { name: t }\nspec: { data: { source: "shapes:" }, training: { steps: ${steps}, globalBatch: 64, microBatch: 1 }, workers: { replicas: 1, max: 64, autoscale: ${job} } }`,
  );
  const random = gaussians(seed);
  const wishes: Wish[] = [];
  let nowMs = 0;
  let workerSeconds = 0;
  let workers = from;
  let asked = { workers: from, atMs: 0 };
  const wishing = createWish({
    spec,
    desired: from,
    epochMs: () => nowMs,
    onChange(wish) {
      wishes.push(wish);
      asked = { workers: wish.workers, atMs: nowMs + 1000 * machine.lagSeconds };
    },
  });
  for (let step = 0; step < steps; step++) {
    if (asked.workers !== workers && nowMs >= asked.atMs) {
      workers = asked.workers;
      wishing.observe({ kind: "worker", workerId: "w", change: "joined", reason: "" });
    }
    const { total, compute } = machine.seconds(workers);
    const slow = Math.exp(machine.noise * random() - machine.noise ** 2 / 2);
    nowMs += 1000 * total * slow;
    workerSeconds += workers * total * slow;
    wishing.observe(stepOf(step, workers, { total: total * slow, compute: compute * slow }));
    wishing.observe({ kind: "status", status: { phase: "Training", step: step + 1, steps } as RunStatus });
  }
  return { wishes, seconds: nowMs / 1000, workerSeconds };
}

const stepOf = (step: number, workers: number, seconds: StepTimes): RunEvent =>
  ({ kind: "step", step, workers, seconds }) as RunEvent;

/** Box and Muller's, from a linear congruential generator: the same trace for the same seed. */
function gaussians(seed: number): () => number {
  let state = (seed * 2 + 1) >>> 0;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  for (let i = 0; i < 8; i++) uniform();
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** How often more was wished for after fewer, or fewer after more. */
const turns = (from: number, wishes: readonly Wish[]): number => {
  const sizes = [from, ...wishes.map(({ workers }) => workers)];
  const ups = sizes.slice(1).map((n, i) => n > sizes[i]!);
  return ups.slice(1).filter((up, i) => up !== ups[i]).length;
};

const V = 64;
const machineOf = ({
  serial,
  network = 0,
  noise,
  lagSeconds = 30,
}: {
  serial: number;
  network?: number;
  noise: number;
  lagSeconds?: number;
}): Machine => ({
  seconds(workers) {
    const compute = Math.ceil(V / workers) * ((10 - serial) / V);
    return { total: serial + network * workers + compute, compute };
  },
  noise,
  lagSeconds,
});

/** Evenly from `low` to `high`: fast-check's own doubles are mostly the ends. */
const between = (low: number, high: number) =>
  fc.integer({ min: 0, max: 1000 }).map((n) => low + ((high - low) * n) / 1000);
const machines = fc.record({
  serial: between(0.05, 4),
  network: between(0, 0.05),
  noise: between(0, 0.3),
  lagSeconds: between(0, 120),
});
const seeds = fc.integer({ min: 1, max: 1e6 });
/** The same traces at every run of the tests. */
const SIMULATIONS = { numRuns: 20, seed: 1 };
const MOST_TURNS = 4;

const ALL_WORK = { phase: "Training", workers: V, fewer: null, stepsLeft: 100 } as const;
const LIMITS = { min: 1, max: V, perPod: 1, microBatches: V, deadlineMs: null };

describe("in a simulated run", () => {
  it("a deadline that leaves some room is met, with hardly more than the fewest workers, and without flapping", () => {
    fc.assert(
      fc.property(machines, seeds, between(0.1, 1), (parts, seed, ease) => {
        const machine = machineOf(parts);
        const steps = 600;
        const fixed = Array.from({ length: V }, (_, i) => steps * machine.seconds(i + 1).total);
        const [fastest, slowest] = [Math.min(...fixed), fixed[0]!];
        const seconds = 600 + fastest / 0.85 + ease * (slowest - fastest);
        const deadline = new Date(1000 * seconds).toISOString();
        const trace = simulate(machine, `{ deadline: "${deadline}" }`, { steps, from: 1, seed });
        expect(trace.seconds).toBeLessThan(seconds);
        expect(turns(1, trace.wishes)).toBeLessThanOrEqual(MOST_TURNS);
        const fewest = fixed.findIndex((needed) => needed <= seconds) + 1;
        expect(trace.workerSeconds).toBeLessThan(2 * fewest * fixed[fewest - 1]!);
      }),
      SIMULATIONS,
    );
  });

  it("a least efficiency leads to where it is, noise or not, and without flapping", () => {
    fc.assert(
      fc.property(machines, seeds, between(0.3, 0.95), (parts, seed, asked) => {
        const machine = machineOf(parts);
        const { wishes } = simulate(machine, `{ minEfficiency: ${asked} }`, { steps: 800, from: 1, seed });
        expect(turns(1, wishes)).toBeLessThanOrEqual(MOST_TURNS);
        const measured = new Map(Array.from({ length: V }, (_, i) => [i + 1, machine.seconds(i + 1)] as const));
        const best = (minEfficiency: number) =>
          decideDesiredWorkers(0, { ...ALL_WORK, measured }, { ...LIMITS, minEfficiency }).fewer?.workers ?? V;
        const workers = wishes.at(-1)?.workers ?? 1;
        expect(workers).toBeGreaterThanOrEqual(best(Math.min(1, asked + 0.3)));
        expect(workers).toBeLessThanOrEqual(best(Math.max(0.01, asked - 0.3)));
      }),
      SIMULATIONS,
    );
  });
});
