// Schedules of a world as fast-check draws them: any order of messages, losses, repeats, timeouts and restarts.

import fc from "fast-check";
import type { Action, Parts, Setting } from "./actors.ts";
import { createWorld } from "./world.ts";

const worker = fc.nat({ max: 3 });
const push = fc.nat({ max: 5 });

const of = <K extends Action["kind"]>(...kinds: K[]) => fc.constantFrom(...kinds);

/** What moves the run on is drawn more often than what disturbs it, or nothing would ever be in flight. */
const progress: fc.WeightedArbitrary<Action>[] = [
  { weight: 20, arbitrary: fc.record({ kind: of("pump"), worker }) },
  { weight: 4, arbitrary: fc.record({ kind: of("connect"), worker }) },
  { weight: 10, arbitrary: fc.record({ kind: of("up"), worker }) },
  { weight: 10, arbitrary: fc.record({ kind: of("down"), worker }) },
  { weight: 10, arbitrary: fc.record({ kind: of("compute"), worker }) },
  { weight: 8, arbitrary: fc.record({ kind: of("deliver"), push }) },
  { weight: 2, arbitrary: fc.record({ kind: of("claim"), push }) },
  { weight: 6, arbitrary: fc.record({ kind: of("sum") }) },
];

const faults: fc.WeightedArbitrary<Action>[] = [
  { weight: 3, arbitrary: fc.record({ kind: of("wait"), ms: fc.constantFrom(50, 100, 350, 1200) }) },
  { weight: 1, arbitrary: fc.record({ kind: of("snapshot") }) },
  { weight: 2, arbitrary: fc.record({ kind: of("cut", "vanish", "die", "leave"), worker }) },
  { weight: 2, arbitrary: fc.record({ kind: of("repeat", "drop"), push }) },
  { weight: 1, arbitrary: fc.record({ kind: of("crash") }) },
];

const setting = fc.record({
  V: fc.integer({ min: 1, max: 6 }),
  steps: fc.integer({ min: 1, max: 3 }),
  workers: fc.integer({ min: 1, max: 4 }),
  min: fc.integer({ min: 1, max: 2 }),
  audit: fc.boolean(),
  liar: fc.constant(-1),
});

/** Any faults, honest workers. */
export const faulty = (parts: Parts) =>
  fc.asyncProperty(
    setting.map((s): Setting => ({ ...s, min: Math.min(s.min, s.workers) })),
    fc.array(fc.oneof(...progress, ...faults), { minLength: 10, maxLength: 90, size: "max" }),
    (drawn, actions) => live(parts, drawn, actions),
  );

/** No faults of the network, but one worker computes wrong numbers and every block is audited. */
export const lying = (parts: Parts) =>
  fc.asyncProperty(
    setting.map((s): Setting => ({ ...s, workers: Math.max(3, s.workers), min: 2, audit: true, liar: s.V % 3 })),
    fc.array(fc.oneof(...progress), { maxLength: 90, size: "max" }),
    (drawn, actions) => live(parts, drawn, actions),
  );

async function live(parts: Parts, drawn: Setting, actions: readonly Action[]): Promise<void> {
  const world = await createWorld(parts, drawn);
  for (const action of actions) await world.act(action);
  await world.settle();
}
